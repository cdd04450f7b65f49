"""Noise curves of a training."""

import math

import pytest
from trainings import write_training

from diffeo_stability import InputError, temperature_range
from diffeo_stability.core.deformation import displacement_from_temperature
from diffeo_stability.figures.noise_curves import NoiseCurves
from diffeo_stability.figures.noise_curves.measurement import measure_noise_curves
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe


def test_a_training_is_measured_over_all_norms(mnist5k, tmp_path):
    def amplify(network):
        network.linear3.weight.mul_(3)

    folder = write_training(tmp_path / "checkpoints", amplify, name="lenet")
    settings = NoiseCurves(networks=["mine"], smallest_norm=0.02, largest_norm=100.0, norms=9)
    rows, summary, _ = measure_noise_curves(
        Given(settings=settings, probe=Probe(images=60, resamples=100), checkpoints=folder, dataset=mnist5k)
    )
    noise = [row for row in rows if row["perturbation"] == "noise" and row["output"] == "logits"]
    deformation = [row for row in rows if row["perturbation"] == "deformation" and row["output"] == "logits"]
    assert [row["state"] for row in noise] == ["init"] * 9 + ["trained"] * 9
    assert all(math.isnan(row["delta"]) for row in noise) and 12 <= len(deformation) < 18
    # Three times the read-out moves all logits three times as far, and no distance between images in proportion. Single
    # precision rounds logits, of which images share the larger part: a floor for the smallest distances
    for before, after in zip(noise[:9], noise[9:], strict=True):
        assert after["distance"] == pytest.approx(before["distance"], rel=1e-4, abs=5e-9) and before["r"] == after["r"]
        assert before["distance_low"] < before["distance"] < before["distance_high"]
    lowest, highest = (displacement_from_temperature(t, 3, 28) for t in temperature_range(28, 3))
    assert all(row["diffeomorphism"] == (lowest <= row["delta"] <= highest) for row in deformation)
    assert len(summary) == 8 and all(1.8 < row["exponent"] < 2.2 for row in summary)
    limits = next(row for row in summary if row["perturbation"] == "deformation")
    assert 0 < limits["r_visible"] < limits["r_overhang"]


def test_norms_out_of_reach_are_named(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="lenet")
    settings = NoiseCurves(networks=["mine"], smallest_norm=200.0, largest_norm=900.0, norms=5)
    with pytest.raises(InputError, match=r"reach 0 of the norms 200 to 900: lower noise_curves.smallest_norm"):
        measure_noise_curves(
            Given(settings=settings, probe=Probe(images=20, resamples=100), checkpoints=folder, dataset=mnist5k)
        )
