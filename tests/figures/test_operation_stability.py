"""Stability after every operation: the closed form of a hand-made network, and a training's table; claims and caption."""

import numpy as np
import pandas as pd
import pytest
import torch
from claiming import decided, reaches_every_verdict, said, spread_about, with_interval
from torch import nn
from trainings import write_training

from diffeo_stability import InputError, relative_stability, stability_by_operation
from diffeo_stability.core.curves import measure_curves, noise_of_norms, towards
from diffeo_stability.core.perturbations import perturbed_batches
from diffeo_stability.core.seeds import generator_for
from diffeo_stability.core.spectra import spectra_by_operation
from diffeo_stability.data.probe import ProbeImages, probe_images
from diffeo_stability.figures.measuring import load_network
from diffeo_stability.figures.operation_stability.collection import summarise_kinds
from diffeo_stability.figures.operation_stability.measurement import measure_operation_stability
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.figures.stability import Stability
from diffeo_stability.networks.checkpoints import list_checkpoints


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def closed_form(images, perturbed, weight):
    """D or G of the map ``weight``, from the differences of inputs alone."""
    count = len(images)
    pairs = ((images[:, None] - images[None]) @ weight.T).square().sum() / (count * (count - 1))
    return float(((perturbed - images) @ weight.T).square().sum(1).mean() / pairs)


def test_every_operation_of_a_hand_made_network_has_its_closed_form():
    """A convolution, an average over all places and a linear map are linear maps, one after the other."""
    images = torch.randn(40, 1, 8, 8, generator=seeded(), dtype=torch.float64)
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 5)
    ).double()
    batch = next(iter(perturbed_batches(images, batch_size=120, generator=seeded())))
    x, deformed, noisy = (part.flatten(1) for part in batch)
    identity = torch.eye(64, dtype=torch.float64).view(64, 1, 8, 8)
    measured = stability_by_operation(network, images, batch_size=30, generator=seeded())
    assert list(measured) == ["0", "1", "3"]
    for depth, stability in zip((1, 2, 4), measured.values(), strict=True):
        with torch.no_grad():
            part = network[:depth]
            weight = (part(identity) - part(torch.zeros(1, 1, 8, 8, dtype=torch.float64))).flatten(1).T
        d, g = closed_form(x, deformed, weight), closed_form(x, noisy, weight)
        assert stability.deformation.value == pytest.approx(d, rel=1e-9)
        assert stability.noise.value == pytest.approx(g, rel=1e-9)
        assert stability.relative.value == pytest.approx(d / g, rel=1e-9)


def test_a_training_is_measured_after_every_operation(mnist5k, tmp_path):
    def set_back(network):
        network.conv2.weight.mul_(0.5)

    folder = write_training(tmp_path / "checkpoints", set_back, name="lenet")
    probe = Probe(images=40, batch_size=30, resamples=100)
    rows = measure_operation_stability(
        Given(probe=probe, checkpoints=folder, dataset=mnist5k, stability=Stability())
    ).table
    init, trained = rows[:11], rows[11:]
    names = ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "linear1", "relu3", "linear2", "relu4", "linear3"]
    for state, part in (("init", init), ("trained", trained)):
        assert [row["operation"] for row in part] == names
        assert [row["operation_index"] for row in part] == list(range(1, 12))
        assert {row["state"] for row in part} == {state}
    assert [row["kind"] for row in init[:4]] == ["conv", "relu", "pool", "conv"]
    # What is before the change is as it was; a convolution's scale cancels but for its bias
    assert [row["R"] for row in init[:3]] == [row["R"] for row in trained[:3]]
    assert trained[3]["D"] == pytest.approx(init[3]["D"], rel=1e-5)
    assert trained[4]["D"] != pytest.approx(init[4]["D"], rel=1e-4)
    network, _ = load_network(list_checkpoints(folder)[-1], "cpu")
    output = relative_stability(
        network,
        probe_images(mnist5k, 40, 0),
        batch_size=30,
        resamples=100,
        generator=generator_for("perturbations", 0),
    )
    assert trained[-1]["R"] == pytest.approx(output.relative.value, rel=1e-9)
    assert trained[-1]["D_low"] == pytest.approx(output.deformation.low, rel=1e-9)


class Windows(nn.Module):
    """Folds the four quarters of each image into the batch, as transformers do, and averages them again."""

    def __init__(self):
        super().__init__()
        self.scale, self.out = nn.Conv2d(1, 1, 1), nn.Linear(196, 3)

    def forward(self, x):
        windows = self.scale(x.unfold(2, 14, 14).unfold(3, 14, 14).reshape(-1, 1, 14, 14))
        return self.out(windows.flatten(1).view(len(x), 4, -1).mean(1))


def test_operations_without_one_output_an_image_are_left_out(mnist5k):
    torch.manual_seed(0)
    assert list(stability_by_operation(Windows(), probe_images(mnist5k, 20, 0), resamples=100)) == ["out"]


def test_dead_operations_are_named_and_left_out(mnist5k, caplog):
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 5), nn.ReLU(), nn.Linear(5, 2))
    nn.init.constant_(network[1].weight, 0)
    images = probe_images(mnist5k, 20, 0)
    with pytest.raises(InputError, match="every operation gives the same output for every image"):
        stability_by_operation(network, images, resamples=100)
    beside = nn.Sequential(nn.Conv2d(1, 1, 3), network[0], nn.Linear(676, 5), network[2], network[3])
    nn.init.constant_(beside[2].weight, 0)
    assert list(stability_by_operation(beside, images, resamples=100)) == ["0"]
    assert "left out, as they give the same output for every image: 2, 3, 4" in caplog.text


def test_a_lazily_normalised_probe_gives_what_a_tensor_gives(mnist5k):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(2304, 10))
    lazy = probe_images(mnist5k, 50, seed=0)
    results = [stability_by_operation(network, images, resamples=100, generator=seeded()) for images in (lazy, lazy[:])]
    # Pixels may be rounded otherwise where they are not normalised at the same place of a tensor
    for found, expected in zip(*(result.values() for result in results), strict=True):
        for part in ("deformation", "noise", "relative"):
            assert getattr(found, part) == pytest.approx(getattr(expected, part), rel=1e-5)


class WatchedImages(ProbeImages):
    """Probe images that remember the most that was ever taken of them at a time."""

    largest = 0

    def __getitem__(self, part):
        taken = super().__getitem__(part)
        self.largest = max(self.largest, len(taken))
        return taken


@pytest.mark.parametrize("count", [50, 600])
def test_memory_holds_a_batch_of_images_however_many_there_are(mnist5k, count):
    """What is taken at a time is set by the batch, or the pilot's 32 images, and never by their number."""
    images = WatchedImages(mnist5k, torch.arange(count))
    network = nn.Sequential(nn.AvgPool2d(7), nn.Flatten(), nn.Linear(16, 4))
    stability_by_operation(network, images, batch_size=60, resamples=100, generator=seeded())
    assert images.largest == 32
    spectra_by_operation(network, images, batch_size=40)

    def perturbations():
        return {
            "noise": noise_of_norms([1.0], seeded()),
            "datapoint": towards(images, torch.arange(count).roll(1), [1.0]),
        }

    measure_curves(network, images, images.labels, perturbations, batch_size=40)
    assert images.largest == 40


ALTERNATING = np.array([1, -1, -1, 1, 1, -1, -1, 1])  # without any slope


def net(name="a", architecture="vgg11", trained=0.3, init=1.0, half=0.01, relu=1.2, **columns):
    """Eight convolutions, each before a ReLU, over which R goes straight to ``trained`` or ``init`` but for an alternating part.

    A ReLU multiplies D by ``relu``, one number or one each.
    """
    shared = {"net": name, "seed": 0, "architecture": architecture, "imported": False, "batch_norm": "none"}
    rows, place = [], np.linspace(0, 1, 8)
    for state, change in (("init", init), ("trained", trained)):
        if change is None:
            continue
        levels = change**place * np.exp(half * ALTERNATING * (state == "trained"))
        for layer, (level, by) in enumerate(zip(levels, np.broadcast_to(relu, 8), strict=True)):
            for kind, factor in (("conv", 1.0), ("relu", by)):
                what = {
                    "kind": kind,
                    "operation": f"{kind}{layer + 1}",
                    "operation_index": 2 * layer + (kind == "relu"),
                }
                values = {"R": level, "D": 0.5**layer * factor, "G": 0.5**layer}
                for quantity, value in values.items():
                    what |= with_interval(quantity, value, half)
                rows.append({**shared, "state": state, **what, **columns})
    return rows


def tables_of(*nets):
    rows = [row for rows in nets for row in rows]
    return {"operation_stability": rows, "operation_stability_summary": summarise_kinds(pd.DataFrame(rows))}


CASES = {
    "10a": (lambda x, half: tables_of(net(trained=x, half=half)), 0.3, 3.0, 1.0),
    "10b": (lambda x, half: tables_of(net(trained=0.5 * x, init=0.5, half=half)), 0.2, 3.0, 1.0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_reaches_every_verdict(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_the_median_vgg_decides(tmp_path):
    nets = [net(f"net{place}", trained=value) for place, value in enumerate((0.2, 0.5, 4.0))]
    row = decided("10a", tmp_path, tables_of(*nets, net("resnet18", "resnet18", trained=9.0)))
    assert row.measured == pytest.approx(0.5) and row.verdict == "reproduced"
    assert row.reason == "2 of 3 nets agree, not net2 (4)"


def test_seeds_that_disagree_leave_it_open(tmp_path):
    """Layers of one training lie on a straight line; another training may have another one."""
    several = [net(trained=value, half=0.001, seed=seed) for seed, value in enumerate((0.1, 0.9, 4.0))]
    row = decided("10a", tmp_path, tables_of(*several))
    assert row.measured == pytest.approx(0.36 ** (1 / 3), rel=0.01) and row.verdict == "inconclusive"
    alike = [net(trained=0.3, half=0.001, seed=seed) for seed in range(3)]
    assert decided("10a", tmp_path, tables_of(*alike)).verdict == "reproduced"


def test_a_vgg_without_an_init_is_named(tmp_path):
    row = decided("10b", tmp_path, tables_of(net(), net("vgg16", "vgg16", init=None)))
    assert row.reason == "a alone; not counted, as they have no init: VGG16"


def test_kinds_of_operations_have_the_factors_that_were_put_in():
    factors = spread_about(1.5, 0.2, 8)
    table = summarise_kinds(pd.DataFrame(net(relu=factors, seed=3))).set_index(["state", "kind", "quantity"])
    relus = table.loc["trained", "relu", "D"]
    assert relus.ratio == pytest.approx(1.5) and relus.ratio_low < 1.5 < relus.ratio_high
    assert (relus.operations, relus.lowered, relus.seed) == (8, 0, 3)
    convolutions = table.loc["init", "conv", "G"]
    # The first has nothing before it
    assert convolutions.ratio == pytest.approx(0.5) and (convolutions.operations, convolutions.lowered) == (7, 7)


def test_one_or_two_operations_have_no_interval_and_a_net_with_branches_no_factors():
    rows = pd.DataFrame(net(relu=np.array([1.0, 4.0] * 4)))
    for operations, ratio in ((2, 1.0), (4, 2.0)):
        relus = summarise_kinds(rows[rows.operation_index <= operations]).query("kind == 'relu' and quantity == 'D'")
        assert relus.ratio.tolist() == pytest.approx([ratio] * 2)
        assert relus.ratio_low.isna().all() and set(relus.operations) == {operations // 2}
    assert summarise_kinds(rows).query("kind == 'relu'").ratio_low.notna().all()
    assert summarise_kinds(pd.DataFrame(net(architecture="resnet18"))).empty


def test_the_answer_names_the_operations_that_lower_and_raise(tmp_path):
    row = decided("10c", tmp_path, tables_of(net("a"), net("b", relu=1.3)))
    assert row.verdict.startswith("D lowered by convolutions (14 of 14), raised by ReLUs (16 of 16); G lowered by conv")
    # A convolution halves D and undoes what the ReLU before it did
    assert row.measured == pytest.approx(0.5 / 1.2) and row.low <= row.measured <= row.high
    assert (
        "after / before in the median net, at init in brackets: D convolutions 0.40 (0.40), ReLUs 1.2 (1.2); G"
        in row.reason
    )
    seeds = [net("a", seed=seed) for seed in range(3)] + [net("a", relu=1.3, seed=3)]
    assert decided("10c", tmp_path, tables_of(*seeds)).verdict.startswith("D lowered by convolutions (7 of 7)")
    wavering = tables_of(net(relu=spread_about(1.0, 0.5, 8)))
    assert "ReLUs" not in decided("10c", tmp_path, wavering).verdict
    assert np.isnan(decided("10c", tmp_path, tables_of(net(architecture="lenet"))).measured)


def test_the_caption_says_what_depth_and_operations_do(tmp_path):
    nets = [net("vgg11", init=0.5, half=0.0), net("vgg16", "vgg16", trained=2.0, init=0.5, half=0.0)]
    text = said("operation_stability", tmp_path, tables_of(*nets))
    assert (
        "0.30 in VGG11 and 2.0 in VGG16, at init 0.50" in text
        and "falls in 1 of 2 nets; at init the factor is 0.5." in text
    )
    assert ":math:`D_k` is lowered by convolutions (14 of 14), raised by ReLUs (16 of 16)" in text
    assert (
        "in the median net (in brackets, at init): :math:`D_k`, convolutions" in text and "line through its log" in text
    )
    estimated = [{**row, "batch_norm": "estimated", "R": 7.0} for row in net("vgg11") if row["state"] == "init"]
    several = [{**row, "seed": seed} for seed in range(3) for row in [*nets[0], *estimated]]
    text = said("operation_stability", tmp_path, tables_of(several))
    assert "would be 7.0 in VGG11 at init" in text and "geometric means over 3 seeds" in text


def test_the_caption_of_weights_without_an_init_names_none(tmp_path):
    text = said("operation_stability", tmp_path, tables_of(net("mine", "my.nets:mine", init=None, imported=True)))
    assert text.startswith("At the last operation :math:`R_k` of trained nets is 0.3") and "init" not in text


def test_an_init_drawn_anew_is_called_so(tmp_path):
    drawn = tables_of(net("mine", "my.nets:vgg_mine", imported=True))
    assert "(weights drawn anew where a net's own were brought along)." in said("operation_stability", tmp_path, drawn)
    assert decided("10b", tmp_path, drawn).reason.endswith("mine alone; against weights drawn anew in mine")
