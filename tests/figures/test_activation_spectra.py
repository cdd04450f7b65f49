"""Spectra of a training."""

import pandas as pd
import pytest
import torch
from torch import nn
from trainings import write_training

from diffeo_stability import radial_power_spectrum
from diffeo_stability.core.spectra import modes_of_rings
from diffeo_stability.data.probe import probe_images
from diffeo_stability.figures.activation_spectra.measurement import measure_activation_spectra
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """Two checkpoints by hand; the trained network's filters are a constant one, which is low-pass."""
    return write_training(
        tmp_path_factory.mktemp("training"),
        lambda network: nn.init.constant_(network.conv1.weight, 0.04),
        name="one_hidden_layer_cnn",
        width=0.125,
    )


PROBE = Probe(images=60, resamples=200)


def test_a_training_is_measured_at_init_and_trained(mnist5k, training):
    rows, summary, _ = measure_activation_spectra(Given(probe=PROBE, checkpoints=training, dataset=mnist5k))
    found = [(row["state"], row["operation"], row["operation_index"], row["kind"]) for row in summary]
    operations = [("input", 0, "input"), ("conv1", 1, "conv"), ("relu1", 2, "relu"), ("pool1", 3, "pool")]
    assert found == [(state, *operation) for state in ("init", "trained") for operation in operations]
    assert {(row["net"], row["seed"], row["width"], row["images"]) for row in summary} == {("mine", 3, 0.125, 60)}
    for row in summary:
        own = [other for other in rows if all(other[key] == row[key] for key in ("state", "operation"))]
        assert [other["wavenumber"] for other in own] == list(
            range(1, len(modes_of_rings(7 if row["operation"] == "pool1" else 28)))
        )
        weights = [other["power"] * other["modes"] for other in own]
        mean = sum(other["wavenumber"] * weight for other, weight in zip(own, weights, strict=True)) / sum(weights)
        assert row["mean_wavenumber"] == pytest.approx(mean)
        assert row["mean_wavenumber_low"] < row["mean_wavenumber"] < row["mean_wavenumber_high"]
    init, trained = summary[1], summary[len(operations) + 1]
    assert [init[f"ratio_to_init{end}"] for end in ("", "_low", "_high")] == pytest.approx([1, 1, 1], rel=1e-12)
    assert trained["ratio_to_init_low"] < trained["ratio_to_init"] < trained["ratio_to_init_high"] < 1
    assert trained["ratio_to_init"] == pytest.approx(trained["mean_wavenumber"] / init["mean_wavenumber"])


def test_rows_of_the_input_are_the_spectrum_of_the_probe_images(mnist5k, training):
    rows = measure_activation_spectra(Given(probe=PROBE, checkpoints=training, dataset=mnist5k)).table
    _, power = radial_power_spectrum(probe_images(mnist5k, 60, 0)[:].double())
    for state in ("init", "trained"):
        measured = [row["power"] for row in rows if row["operation"] == "input" and row["state"] == state]
        torch.testing.assert_close(torch.tensor(measured, dtype=torch.float64), power.mean((0, 1))[1:])


def test_batch_size_changes_nothing(mnist5k, training):
    small, large = (
        measure_activation_spectra(
            Given(probe=PROBE.model_copy(update={"batch_size": size}), checkpoints=training, dataset=mnist5k)
        )
        for size in (7, 50)
    )
    # Squares of sums of 26 numbers in single precision; at large wavenumbers, which have a hundredth of the mean power, the
    # rounding of the whole weighs ten times as much
    rtol = 10 * 2 * 26 * torch.finfo(torch.float32).eps
    for part, other in zip(small[:2], large[:2], strict=True):
        pd.testing.assert_frame_equal(pd.DataFrame(part), pd.DataFrame(other), rtol=rtol, atol=0)


def test_interval_covers_the_mean_wavenumber_of_other_images(mnist5k, training):
    """The mean over all test images lies inside the intervals of most draws of 60 of them."""
    summary = measure_activation_spectra(
        Given(probe=Probe(images=1000, resamples=100), checkpoints=training, dataset=mnist5k)
    ).summary
    covered = 0
    for seed in range(10):
        probe = PROBE.model_copy(update={"seed": seed})
        part = measure_activation_spectra(Given(probe=probe, checkpoints=training, dataset=mnist5k)).summary
        covered += part[4]["mean_wavenumber_low"] <= summary[4]["mean_wavenumber"] <= part[4]["mean_wavenumber_high"]
    assert covered >= 7
