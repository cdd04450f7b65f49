"""Laplacian components of a training over time."""

import copy

import pytest
import torch
from trainings import save_training

from diffeo_stability import InputError, build_network
from diffeo_stability.figures.laplacian_spectra.measurement import measure_laplacian_spectra
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe

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
