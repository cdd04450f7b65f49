"""Shuffled channels: symmetries of the permutation, planted gains, a training's table; claims and caption."""

import copy
import math
from itertools import product

import numpy as np
import pytest
import torch
import yaml
from claiming import around, decided, reaches_every_verdict, said
from torch import nn
from trainings import write_training

from diffeo_stability import InputError, build_network
from diffeo_stability.core.distances import Distances
from diffeo_stability.figures.channel_shuffling import ChannelShuffling
from diffeo_stability.figures.channel_shuffling.measurement import (
    batch_norm_choices,
    log_stabilities,
    mean_over_permutations,
    measure_channel_shuffling,
    permute_input_channels,
    random_permutations,
    surviving_gain,
)
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.figures.stability import Stability
from diffeo_stability.networks.checkpoints import list_checkpoints
from diffeo_stability.pipeline.config import parse_config


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build_network("vgg11_bn", 3, 32, 10, width=0.125).double().eval()


@pytest.fixture
def images():
    return torch.randn(4, 3, 32, 32, generator=seeded(), dtype=torch.float64)


@torch.no_grad()
def test_the_identity_changes_nothing(network, images):
    identity = {name: order.sort().values for name, order in random_permutations(network, seeded()).items()}
    assert len(identity) == 8
    assert torch.equal(permute_input_channels(network, identity)(images), network(images))


@torch.no_grad()
def test_a_random_permutation_changes_the_function_but_no_filter(network, images):
    before = copy.deepcopy(network.state_dict())
    shuffled = permute_input_channels(network, random_permutations(network, seeded()))
    assert not torch.allclose(shuffled(images), network(images), rtol=0.1)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    for name, value in shuffled.state_dict().items():
        if name.startswith("conv") and name.endswith("weight"):
            # Of each neuron the same filters, in another order
            old, new = (w.flatten(2).sum(2).sort(dim=1).values for w in (before[name], value))
            torch.testing.assert_close(new, old)
        else:
            assert torch.equal(value, before[name])


@torch.no_grad()
def test_permuting_what_is_read_is_permuting_what_is_written_the_other_way(network, images):
    """The outputs of conv2, with its batch-norm, in another order, to be read by conv3."""
    order = torch.randperm(network.conv3.in_channels, generator=seeded())
    inverse = order.argsort()
    other = copy.deepcopy(network)
    for module in (other.conv2, other.batchnorm2):
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.ndim:
                tensor.copy_(tensor[inverse])
    shuffled = permute_input_channels(network, {"conv3": order})
    torch.testing.assert_close(shuffled(images), other(images))


def test_channels_stay_in_their_group():
    network = nn.Sequential(nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 4, 3, groups=2)).double()
    for seed in range(5):
        orders = random_permutations(network, seeded(seed))
        assert orders["0"].tolist() == list(range(6))
        assert set(orders["1"][:3].tolist()) == {0, 1, 2} and set(orders["1"][3:].tolist()) == {3, 4, 5}
    orders = {"1": torch.tensor([2, 0, 1, 3, 5, 4])}
    images = torch.randn(2, 6, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        read = network[0](images)
        # Filters made for channel p(c) meet channel c: the channel that filter d was made for is now at p^-1(d)
        expected = network[1](read[:, orders["1"].argsort()])
        torch.testing.assert_close(permute_input_channels(network, orders)(images), expected)


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        ({"conv9": torch.arange(3)}, "'conv9' is no convolution of the network; it has conv1, "),
        ({"conv1": torch.tensor([0, 0, 1])}, "permutation of conv1 must hold its 3 input channels once each"),
        ({"conv1": torch.arange(2)}, "permutation of conv1 must hold its 3 input channels once each"),
    ],
)
def test_wrong_permutations_are_named(network, orders, message):
    with pytest.raises(InputError, match=message):
        permute_input_channels(network, orders)


def logs(value, resamples=400, scatter=0.05, seed=0):
    """log D of one operation: a value, then bootstrap samples about it."""
    noise = scatter * torch.randn(resamples, generator=seeded(seed), dtype=torch.float64)
    return math.log(value) + torch.cat((torch.zeros(1, dtype=torch.float64), noise))[None]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_planted_share_is_found(share):
    """From D = 0.8 at init to 0.2: a shuffled net with that part of the gain in logarithm."""
    kept = 0.8 * (0.2 / 0.8) ** share
    shuffled = torch.stack([logs(kept * math.exp(shift), seed=3) for shift in (-0.02, 0.0, 0.02)])
    found = surviving_gain(logs(0.8, seed=1), logs(0.2, seed=2), shuffled, seeded())
    assert float(found["shuffled"]) == pytest.approx(kept) and float(found["gain"]) == pytest.approx(math.log(4))
    assert float(found["share"]) == pytest.approx(share, abs=1e-9)
    assert float(found["share_low"]) < share < float(found["share_high"])
    assert float(found["share_high"] - found["share_low"]) < 0.3


def test_without_a_gain_there_is_no_share():
    shuffled = torch.stack([logs(0.5), logs(0.5)])
    found = surviving_gain(logs(0.5, seed=1), logs(0.5, seed=2), shuffled, seeded())
    assert all(found[name].isnan().all() for name in ("share", "share_low", "share_high"))
    assert float(found["gain_low"]) < 0 < float(found["gain_high"])


@pytest.mark.parametrize("count", [3, 10])
def test_the_scatter_over_few_permutations_is_that_of_their_mean(count):
    """Intervals from n normal draws hold the true mean 95% of the time, where percentiles of so few hold it less often."""
    generator, held = seeded(5), 0
    for _ in range(400):
        values = torch.randn(count, 1, 1, generator=generator, dtype=torch.float64).expand(-1, -1, 401)
        samples = mean_over_permutations(values, generator)[0, 1:]
        low, high = samples.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
        held += bool(low <= 0 <= high)
    assert 0.88 < held / 400 < 0.99


def test_networks_are_compared_on_the_same_images():
    """Under deformation one moves 3 times as far as the other on every image, so that their gain has an interval of no width."""
    moved, spread = (torch.rand(*shape, 50, generator=seeded(), dtype=torch.float64) for shape in ((2,), ()))
    one, other = (
        {"out": Distances(moved * torch.tensor([[scale], [1.0]], dtype=torch.float64), spread, 0.1)}
        for scale in (3.0, 1.0)
    )
    first, second = (log_stabilities(each, 200, seeded(1)) for each in (one, other))
    for quantity, value in (("D", one["out"].normalised()[0]), ("R", 3 * moved[0].mean() / moved[1].mean())):
        difference = first[quantity] - second[quantity]
        torch.testing.assert_close(difference, torch.full((1, 201), math.log(3), dtype=torch.float64))
        assert float(first[quantity].std()) > 0.01
        assert float(first[quantity][0, 0].exp()) == pytest.approx(float(value))


def test_which_statistics_there_are():
    assert batch_norm_choices(build_network("vgg11", 1, 28, 10, width=0.0625)) == ("none",)
    assert batch_norm_choices(build_network("vgg11_bn", 1, 28, 10, width=0.0625)) == ("kept", "re-estimated")


def test_a_training_is_measured_in_all_states(mnist5k, tmp_path):
    def blunt(network):
        """Much smoother filters, from the second layer on."""
        for module in list(network.modules()):
            if isinstance(module, nn.Conv2d) and module.in_channels > 1:
                module.weight.copy_(module.weight.mean((2, 3), keepdim=True).expand_as(module.weight))

    folder = write_training(tmp_path / "checkpoints", blunt, name="vgg11_bn", width=0.0625)
    settings, probe = (
        ChannelShuffling(networks=["mine"], permutations=2),
        Probe(images=40, batch_size=30, resamples=100),
    )
    rows, summary, _ = measure_channel_shuffling(
        Given(settings=settings, probe=probe, checkpoints=folder, dataset=mnist5k, stability=Stability())
    )
    count = len(rows) // 8
    by_state = {
        (row["state"], row["permutation"], row["batch_norm"]): rows[place : place + count]
        for place, row in zip(range(0, len(rows), count), rows[::count], strict=True)
    }
    assert list(by_state) == [("init", None, "batch"), ("init", None, "estimated")] + [
        (state, number, batch_norm)
        for state, number in (("trained", None), ("shuffled", 0), ("shuffled", 1))
        for batch_norm in ("kept", "re-estimated")
    ]
    # Images of one channel: the first convolution has nothing to permute, and the first layer is as it was
    for row in range(4):
        assert len({by_state[state, number, "kept"][row]["R"] for state, number, _ in list(by_state)[2:]}) == 1
    assert by_state["shuffled", 0, "kept"][-1]["R"] != by_state["shuffled", 1, "kept"][-1]["R"]
    assert by_state["trained", None, "kept"][-1]["R"] != by_state["trained", None, "re-estimated"][-1]["R"]
    choices = [(row["batch_norm"], row["init_batch_norm"], row["quantity"]) for row in summary[::count]]
    assert choices == list(product(("kept", "re-estimated"), ("batch", "estimated"), "DR"))
    assert len(summary) == 8 * count and summary[-1]["kind"] == "linear"
    for place, row in enumerate(summary):
        own, at_init = row["batch_norm"], row["init_batch_norm"]
        keys = ("init", None, at_init), ("trained", None, own), ("shuffled", 0, own), ("shuffled", 1, own)
        init, trained, one, two = (math.log(by_state[key][place % count][row["quantity"]]) for key in keys)
        assert row["gain"] == pytest.approx(init - trained, abs=1e-9)
        assert row["gain_shuffled"] == pytest.approx(init - (one + two) / 2, abs=1e-9)
        assert row["init"] == pytest.approx(math.exp(init)) and row["trained"] == pytest.approx(math.exp(trained))
        if not math.isnan(row["share"]):
            assert row["share"] == pytest.approx(row["gain_shuffled"] / row["gain"], rel=1e-9)


def test_a_shuffle_that_kills_an_operation_is_named(mnist5k, tmp_path):
    """Only one channel is alive, and only it is read: a shuffle has a dead one read instead."""

    def set_one_channel(network):
        network.conv1.weight[1:] = 0
        network.conv1.bias[1:] = 0
        network.conv2.weight[:, 1:] = 0

    folder = write_training(tmp_path / "checkpoints", set_one_channel, name="lenet")
    settings = ChannelShuffling(networks=["mine"], permutations=2)
    with pytest.raises(InputError, match="mine, shuffled by permutation .*, batch-norm none: operation conv2 gives"):
        measure_channel_shuffling(
            Given(
                settings=settings,
                probe=Probe(images=20, resamples=100),
                checkpoints=folder,
                dataset=mnist5k,
                stability=Stability(),
            )
        )


def test_a_network_without_channels_is_named(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="fully_connected_2", width=0.1)
    with pytest.raises(
        InputError, match="mine has no convolution that combines channels.*out of channel_shuffling.networks"
    ):
        measure_channel_shuffling(
            Given(
                settings=ChannelShuffling(networks=["mine"]),
                probe=Probe(),
                checkpoints=folder,
                dataset=mnist5k,
                stability=Stability(),
            )
        )


def test_a_network_without_an_init_is_named(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="lenet")
    first, last = list_checkpoints(folder)
    for path in (first, first.with_suffix(".json")):
        path.unlink()
    description = last.with_suffix(".json")
    description.write_text(description.read_text().replace("{", '{"weights": "mine.safetensors",', 1))
    given = Given(
        settings=ChannelShuffling(networks=["mine"]),
        probe=Probe(),
        checkpoints=folder,
        dataset=mnist5k,
        stability=Stability(),
    )
    with pytest.raises(
        InputError, match="mine has no init to compare with: take mine out of channel_shuffling.networks"
    ):
        measure_channel_shuffling(given)


def test_a_run_that_asks_for_one_is_told_when_it_is_planned(root):
    raw = yaml.safe_load((root / "config" / "mnist5k.yaml").read_text())
    raw["networks"]["mine"] = {"architecture": "vgg11_bn", "weights": "mine.safetensors", "init": "none"}
    raw["dataset"]["normalisation"] = "images"
    raw["channel_shuffling"]["networks"].append("mine")
    with pytest.raises(
        InputError, match="^config: channel_shuffling.networks: 'mine' has no init .init: none. to compare it"
    ):
        parse_config(raw)


def output_of(net, share_of_d, share_of_r=0.1, half=0.01, statistics=("none", "none"), **columns):
    """Rows of the summary about a net: its output, after an operation whose shares are others."""
    batch_norm, init_batch_norm = statistics
    shared = {
        "net": net,
        "seed": 0,
        "batch_norm": batch_norm,
        "init_batch_norm": init_batch_norm,
        "imported": False,
        **columns,
    }
    return [
        {**shared, "quantity": quantity, "operation_index": index, **around("share", share, half)}
        for quantity, own in (("D", share_of_d), ("R", share_of_r))
        for index, share in ((1, 9.0), (2, own))
    ]


def with_other_statistics(net, share, half=0.01):
    """The same of a net with batch-norm, whose shares by other statistics are far off."""
    return [
        row
        for batch_norm, init, other in (
            ("re-estimated", "batch", share),
            ("kept", "batch", -9.0),
            ("kept", "estimated", 7.0),
        )
        for row in output_of(net, other, half=half, statistics=(batch_norm, init))
    ] + output_of(net, 8.0, half=half, statistics=("re-estimated", "estimated"))


CASES = {
    "11a": (lambda x, half: {"channel_shuffling_summary": with_other_statistics("vgg11_bn", x, half)}, 0.4, 1.5, 1.0),
    "11b": (lambda x, half: {"channel_shuffling_summary": with_other_statistics("vgg11_bn", x, half)}, 0.4, -0.5, 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_reaches_every_verdict(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_the_median_net_decides_among_those_that_gained(tmp_path):
    rows = [row for net, share in (("a", 0.1), ("b", 0.3), ("c", 1.4), ("d", np.nan)) for row in output_of(net, share)]
    # One seed of e has no gain: whether the others' share is that of the net, nobody knows
    rows += [row for seed, share in ((0, 5.0), (1, np.nan)) for row in output_of("e", share, seed=seed)]
    row = decided("11a", tmp_path, {"channel_shuffling_summary": rows})
    assert row.measured == pytest.approx(0.3) and row.verdict == "reproduced"
    assert row.reason.startswith(
        "2 of 3 nets agree, not c (1.4); not counted, as training gains nothing in log D beyond its interval: d and e; of the "
        "gain in log R: 10% in a"
    )


def test_without_any_gain_there_is_no_verdict(tmp_path):
    row = decided("11b", tmp_path, {"channel_shuffling_summary": output_of("a", np.nan)})
    assert row.verdict == "needs networks" and row.reason == "the run has no net whose training gains in D"


def test_the_caption_of_one_net(tmp_path):
    text = said("channel_shuffling", tmp_path, {"channel_shuffling_summary": output_of("vgg11", 0.25, np.nan)})
    assert text == (
        "Of the gain in :math:`\\log D_f` at the nets' output, the shuffle leaves 25% in VGG11; of that in :math:`\\log R_f`, "
        "nothing can be said: there is no gain beyond its interval in VGG11."
    )


def test_the_caption_of_several_nets_and_seeds_says_what_other_statistics_give(tmp_path):
    nets = [*output_of("vgg11", 0.25), *with_other_statistics("vgg11_bn", 0.05)]
    rows = [{**row, "seed": seed} for seed in range(3) for row in nets]
    text = said("channel_shuffling", tmp_path, {"channel_shuffling_summary": rows})
    assert "leaves 25% in VGG11 and 5.0% in VGG11 BN (means over 3 seeds); of that" in text
    assert "it would leave -900% in VGG11 BN with batch-norm's statistics of trained and shuffled nets kept as" in text
    assert text.endswith("and 800% in VGG11 BN with those at init estimated on training images.")


def test_the_caption_of_imported_weights_names_no_init_of_theirs(tmp_path):
    drawn = {"channel_shuffling_summary": output_of("mine", 0.25, imported=True)}
    assert decided("11a", tmp_path, drawn).reason.endswith("; against weights drawn anew in mine")
    text = said("channel_shuffling", tmp_path, drawn)
    assert (
        "output, since weights drawn anew where a net's own init is not known, the shuffle leaves 25% in mine" in text
    )
