"""Laplacian components of a training over time; claim and caption."""

import copy

import numpy as np
import pytest
import torch
from claiming import decided, reaches_every_verdict, said, spread_about
from trainings import SPLIT, save_training

from diffeo_stability import InputError, build_network
from diffeo_stability.figures.laplacian_spectra.measurement import measure_laplacian_spectra
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.networks.checkpoints import save_checkpoint

NETWORK = {"name": "vgg11", "in_channels": 1, "image_size": 28, "classes": 10, "width": 0.0625, "filter_size": 5}

PROBE = Probe(resamples=200)


@torch.no_grad()
def with_doubled_means(network, channels=slice(None)):
    """The network with the constant component of its filters doubled, in all output channels or in some."""
    changed = copy.deepcopy(network)
    for module in changed.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight[channels] += module.weight[channels].mean((-2, -1), keepdim=True)
    return changed


def test_doubled_constant_components_have_ratio_4(tmp_path):
    torch.manual_seed(0)
    network = build_network(**NETWORK)
    save_training(tmp_path, [network, with_doubled_means(network)], NETWORK)
    rows = measure_laplacian_spectra(Given(probe=PROBE, checkpoints=tmp_path)).table
    layers = [f"conv{index}" for index in range(1, 9)]
    assert list(dict.fromkeys(row["layer"] for row in rows)) == layers
    assert {row["layer_index"] for row in rows if row["layer"] == "conv3"} == {3}
    assert {(row["epoch"], row["step"]) for row in rows} == {(0, 0), (1, 10)}
    first = [row for row in rows if row["layer"] == "conv1" and row["epoch"] == 1]
    assert sum(row["multiplicity"] for row in first) == 25
    for row in rows:
        expected = 4 if row["epoch"] == 1 and row["eigenvalue"] < 1e-9 else 1
        for column in ("ratio", "ratio_low", "ratio_high"):
            assert row[column] == pytest.approx(expected, rel=1e-5)
        assert row["c"] > 0


def test_intervals_hold_the_ratio_and_are_the_same_every_time(tmp_path):
    """Half of the channels change: every resample draws another share of them, so that the interval has a width."""
    torch.manual_seed(0)
    network = build_network(**NETWORK)
    save_training(tmp_path, [network, with_doubled_means(network, slice(None, None, 2))], NETWORK)
    rows = measure_laplacian_spectra(Given(probe=PROBE, checkpoints=tmp_path)).table
    for row in rows:
        if row["epoch"] == 1 and row["eigenvalue"] < 1e-9:
            assert 1 - 1e-12 <= row["ratio_low"] < row["ratio"] < row["ratio_high"] <= 4.001
    assert rows == measure_laplacian_spectra(Given(probe=PROBE, checkpoints=tmp_path)).table


def test_networks_without_square_filters_are_named(tmp_path):
    arguments = {"name": "fully_connected_2", "in_channels": 1, "image_size": 28, "classes": 10, "width": 0.1}
    save_training(tmp_path, [build_network(**arguments)], arguments)
    with pytest.raises(InputError, match="no convolution with square filters.*laplacian_spectra.networks"):
        measure_laplacian_spectra(Given(probe=PROBE, checkpoints=tmp_path))


def test_weights_without_an_init_have_components_and_no_ratio(tmp_path):
    torch.manual_seed(0)
    metadata = {
        "net": "mine",
        "seed": 0,
        "network": NETWORK,
        "split": SPLIT,
        "weights": "package:mine",
        "epoch": 1,
        "step": 0,
    }
    save_checkpoint(build_network(**NETWORK), tmp_path / "epoch0001.safetensors", metadata)
    rows = measure_laplacian_spectra(Given(probe=PROBE, checkpoints=tmp_path)).table
    assert all(row["c"] > 0 and np.isnan([row["ratio"], row["ratio_low"], row["ratio_high"]]).all() for row in rows)


def net(name, gain, half=0.01, **columns):
    """Six layers over two checkpoints; the constant gains over the roughest by ``gain``, in the mean."""
    shared = {"net": name, "seed": 0, "imported": False, **columns}
    return [
        {
            **shared,
            "epoch": epoch,
            "layer_index": layer,
            "layer": f"conv{layer}",
            "eigenvalue": eigenvalue,
            "ratio": ratio,
        }
        for epoch in (0, 10)
        for layer, value in enumerate(spread_about(gain, half), start=1)
        for eigenvalue, ratio in ((0.0, 2 * value if epoch else 1.0), (3.0, 1.2), (6.0, 2.0 if epoch else 1.0))
    ]


def test_the_claim_reaches_every_verdict(tmp_path):
    reaches_every_verdict("7", tmp_path, lambda x, half: {"laplacian_spectra": net("a", x, half)}, 3.0, 0.5, 1.0)


def test_a_net_of_one_convolution_is_named(tmp_path):
    one = [row for row in net("one", 2.0) if row["layer_index"] == 1]
    row = decided("7", tmp_path, {"laplacian_spectra": [*net("a", 2.0), *one]})
    assert row.reason == "a alone; not counted, as they have fewer than three convolutions: one"


def test_the_median_net_decides(tmp_path):
    nets = [row for name, gain in (("a", 2.0), ("b", 3.0), ("c", 0.5)) for row in net(name, gain)]
    row = decided("7", tmp_path, {"laplacian_spectra": nets})
    assert row.measured == pytest.approx(2.0) and row.reason == "2 of 3 nets agree, not c (0.5)"


def test_the_caption_says_where_the_constant_gains(tmp_path):
    text = said("laplacian_spectra", tmp_path, {"laplacian_spectra": net("vgg11", 1.0, 0.5)})
    assert (
        "a factor of 1 in VGG11" in text
        and "in 3 of 6 convolutions; the largest factor is 1.65, in conv6 of VGG11." in text
    )
    single = [{**row, "layer": "conv1"} for row in net("mine", 0.5, 0.0) if row["layer_index"] == 1]
    assert said("laplacian_spectra", tmp_path, {"laplacian_spectra": single}) == (
        "From init the constant component gains over the roughest one in no convolution; the largest factor is 0.5, in conv1 of "
        "mine."
    )
    several = [{**row, "seed": seed} for seed in range(3) for row in net("vgg11", 2.0)]
    assert "geometric means over 3 seeds" in said("laplacian_spectra", tmp_path, {"laplacian_spectra": several})
    imported = net("mine", 2.0, imported=True)
    assert "drawn anew" in said("laplacian_spectra", tmp_path, {"laplacian_spectra": imported})
    assert (
        decided("7", tmp_path, {"laplacian_spectra": imported}).reason
        == "mine alone; against weights drawn anew in mine"
    )
    alone = [{**row, "ratio": np.nan} for row in imported]
    assert said("laplacian_spectra", tmp_path, {"laplacian_spectra": alone}) == ""
