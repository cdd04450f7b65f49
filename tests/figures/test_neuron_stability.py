"""Neurons of a training."""

import math

import pytest
from torch import nn
from trainings import write_training

from diffeo_stability import InputError, build_network
from diffeo_stability.core.cropping import views_of
from diffeo_stability.figures.measuring import pick_places
from diffeo_stability.figures.neuron_stability import NeuronStability
from diffeo_stability.figures.neuron_stability.measurement import measure_neuron_stability
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe


def test_places_are_drawn_by_seed_and_layer():
    view = views_of(build_network("vgg11", 1, 28, 10, width=0.0625), nn.ReLU, 28, 1)["relu3"]
    assert pick_places(view, None, 0, "relu3") == pick_places(view, 100, 0, "relu3") == view.places
    some = pick_places(view, 10, 0, "relu3")
    assert len(set(some)) == 10 and some == pick_places(view, 10, 0, "relu3") != pick_places(view, 10, 1, "relu3")


def test_a_training_is_measured_at_init_and_trained(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: network.conv2.weight.zero_(), name="lenet")
    settings = NeuronStability(networks=["mine"], images=40, places=5, strongest=4)
    probe = Probe(images=40, batch_size=16, resamples=100)
    rows, summary, _ = measure_neuron_stability(
        Given(settings=settings, probe=probe, checkpoints=folder, dataset=mnist5k)
    )
    assert len(rows) == 2 * 2 * 4 * 3 and len(summary) == 2 * 2 * 3 * 3
    first, second = ([row for row in rows if row["layer"] == layer] for layer in ("relu1", "relu2"))
    # The first layer was not changed; the second one, without weights, responds to all patches alike
    assert [row["alpha"] for row in first[:12]] == [row["alpha"] for row in first[12:]]
    for row in first:
        assert row["low"] <= row["alpha"] <= row["high"] and row["places"] == 5 and row["receptive_field"] == 5
        assert row["neurons"] + row["left_out"] == 5 * 6
    assert all(row["neurons"] == 0 and math.isnan(row["alpha"]) for row in second[12:])
    by_kind = {(row["state"], row["transformation"], row["patch_choice"]): row["alpha"] for row in first}
    for row in summary:
        if row["layer"] == "relu1":
            key = row["state"], row["patch_choice"]
            expected = by_kind[key[0], row["transformation"], key[1]] / by_kind[key[0], "translation", key[1]]
            assert row["ratio_to_translation"] == pytest.approx(expected, rel=1e-9)
    other = measure_neuron_stability(
        Given(settings=settings, probe=probe.model_copy(update={"batch_size": 40}), checkpoints=folder, dataset=mnist5k)
    )
    assert [row["alpha"] for row in other[0][:24]] == pytest.approx([row["alpha"] for row in rows[:24]], rel=1e-4)


def test_a_network_without_space_is_named(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="fully_connected_2", width=0.1)
    with pytest.raises(InputError, match=r"mine: the network has no ReLU .*; take it out of the figure's networks"):
        measure_neuron_stability(
            Given(settings=NeuronStability(networks=["mine"]), probe=Probe(), checkpoints=folder, dataset=mnist5k)
        )
