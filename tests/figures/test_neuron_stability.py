"""Neurons of a training."""

import math

import numpy as np
import pandas as pd
import pytest
from claiming import decided, reaches_every_verdict, said, spread_about, with_interval
from torch import nn
from trainings import write_training

from diffeo_stability import InputError, build_network
from diffeo_stability.core.cropping import views_of
from diffeo_stability.figures.claim_measures import MissingError
from diffeo_stability.figures.layer_neurons import pick_places
from diffeo_stability.figures.neuron_stability import NeuronStability
from diffeo_stability.figures.neuron_stability.gaps import SIZED_BY, gaps
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
    assert len(rows) == 2 * 2 * 3 * 4 * 3 and len(summary) == 2 * 2 * 3 * 3 * 3
    assert list(dict.fromkeys(row["size_by"] for row in rows)) == list(SIZED_BY)
    first, second = ([row for row in rows if row["layer"] == layer] for layer in ("relu1", "relu2"))
    # The first layer was not changed; the second one, without weights, responds to all patches alike
    assert [row["alpha"] for row in first[:36]] == [row["alpha"] for row in first[36:]]
    for row in first:
        assert row["low"] <= row["alpha"] <= row["high"] and row["places"] == 5 and row["receptive_field"] == 5
        assert row["neurons"] + row["left_out"] == 5 * 6
        assert math.isnan(row["norm"]) == (row["transformation"] == "translation")
        assert row["size_by"] != "operator" or row["transformation"] == "translation" or row["norm"] == 1.0
    assert all(row["neurons"] == 0 and math.isnan(row["alpha"]) for row in second[36:])
    key = ("state", "size_by", "transformation", "patch_choice")
    by_kind = {tuple(row[name] for name in key): row["alpha"] for row in first}
    for row in summary:
        if row["layer"] == "relu1":
            state, way, kind, choice = (row[name] for name in key)
            expected = by_kind[state, way, kind, choice] / by_kind[state, way, "translation", choice]
            assert row["ratio_to_translation"] == pytest.approx(expected, rel=1e-9)
    other = measure_neuron_stability(
        Given(settings=settings, probe=probe.model_copy(update={"batch_size": 40}), checkpoints=folder, dataset=mnist5k)
    )
    assert [row["alpha"] for row in other[0][:72]] == pytest.approx([row["alpha"] for row in rows[:72]], rel=1e-3)


def test_an_untrained_net_is_measured_by_both_readings_of_batch_norm(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="vgg11_bn", width=0.0625)
    settings = NeuronStability(networks=["mine"], images=20, places=1, strongest=4)
    given = Given(settings=settings, probe=Probe(resamples=100), checkpoints=folder, dataset=mnist5k)
    rows, summary, _ = measure_neuron_stability(given)
    readings = [("init", "batch"), ("init", "estimated"), ("trained", "running")]
    for table in (rows, summary):
        assert list(dict.fromkeys((row["state"], row["batch_norm"]) for row in table)) == readings
    # What places see, and so how much of it a field changes, is the same in every state
    changing = {row["norm"] for row in rows if (row["size_by"], row["transformation"]) == ("change", "rotation")}
    assert len(changing) == 8


def test_a_network_without_space_is_named(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="fully_connected_2", width=0.1)
    with pytest.raises(InputError, match=r"mine: the network has no ReLU .*; take it out of the figure's networks"):
        measure_neuron_stability(
            Given(settings=NeuronStability(networks=["mine"]), probe=Probe(), checkpoints=folder, dataset=mnist5k)
        )


def summary(gap, *, net="a", seeds=(0,), half=0.01, states=("init", "trained"), imported=False, **by_way):
    """Ratios to translations of a net in every layer: at init 2, trained that times the gap; or another gap at a way."""
    return [
        {"net": net, "seed": seed, "state": state, "batch_norm": reading, "imported": imported}
        | {"size_by": way, "patch_choice": choice, "transformation": kind, "layer_index": layer}
        | with_interval("ratio", 2.0 * factor, half)
        | {"ratio_to_translation": 2.0 * factor}
        for seed in seeds
        for state, reading in (("init", "batch"), ("init", "estimated"), ("trained", "running"))
        if state in states
        for way in SIZED_BY
        for choice in ("random", "strongest", "top")
        for kind in ("rotation", "compression", "pure_shear")
        for layer, in_layer in enumerate(by_way.get(way, gap), start=1)
        for factor in [{"trained": in_layer, "init": 1.0 if reading == "batch" else 0.5}[state]]
    ]


def rising(change, half):
    alternating = np.array([1, -1, -1, 1, 1, -1, -1, 1]) / 2
    return change ** np.linspace(0, 1, 8) * np.exp(half * alternating)


def tables(rows):
    return {"neuron_stability_summary": rows}


CASES = {
    "14a": (lambda x, half: tables(summary(spread_about(x, half, 8))), 1.5, 0.6, 1.0),
    "14b": (lambda x, half: tables(summary(rising(x, half))), 2.0, 0.5, 1.0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_question_reaches_every_answer(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_the_worst_way_of_equal_size_decides(tmp_path):
    rows = summary(spread_about(2.0, 0.01, 8), change=spread_about(0.7, 0.01, 8))
    row = decided("14a", tmp_path, tables(rows))
    assert row.measured == pytest.approx(0.7) and row.verdict == "no"
    assert row.reason.startswith("2 at equal Frobenius norm (rotation), 2 at equal Frobenius norm (compression), ")
    assert "0.7 at equal change of what neurons see (rotation) (decides)" in row.reason


def test_the_part_that_does_worst_decides(tmp_path):
    rows = summary(spread_about(2.0, 0.01, 8))
    for row in rows:
        if row["transformation"] == "compression" and row["state"] == "trained":
            row |= {name: 0.4 * row[name] for name in ("ratio_to_translation", "ratio_low", "ratio_high")}
    row = decided("14a", tmp_path, tables(rows))
    assert row.measured == pytest.approx(0.8) and row.verdict == "no" and "(compression) (decides)" in row.reason


def test_of_each_part_the_median_net_decides(tmp_path):
    nets = {"a": 0.5, "b": 1.5, "c": 3.0}
    rows = [row for net, gap in nets.items() for row in summary(spread_about(gap, 0.01, 8), net=net)]
    row = decided("14a", tmp_path, tables(rows))
    assert row.measured == pytest.approx(1.5) and row.verdict == "yes"
    even = [row for row in rows if row["net"] != "c"]
    assert decided("14a", tmp_path, tables(even)).measured == pytest.approx(0.5), "of two in the middle the smaller"


def test_seeds_are_no_layers(tmp_path):
    layers = spread_about(1.5, 0.3, 8)
    one, three = (decided("14a", tmp_path, tables(summary(layers, seeds=seeds))) for seeds in ((0,), (0, 1, 2)))
    assert (one.low, one.high) == pytest.approx((three.low, three.high))


def test_a_gap_is_that_to_init_as_it_is_shown():
    table = pd.DataFrame(summary([3.0, 3.0]))
    assert gaps(table).gap.to_numpy() == pytest.approx(3.0) and gaps(
        table, estimated=True
    ).gap.to_numpy() == pytest.approx(6.0)
    shown = gaps(table)
    assert (shown.gap_high / shown.gap_low).to_numpy() == pytest.approx(math.exp(2 * 0.01 * math.sqrt(2)))
    with pytest.raises(MissingError, match="no neurons at init"):
        gaps(pd.DataFrame(summary([3.0, 3.0], states=("trained",))))


def test_without_an_init_the_questions_have_no_answer(tmp_path):
    rows = summary([3.0] * 8, states=("trained",), imported=True)
    for name in CASES:
        assert decided(name, tmp_path, tables(rows)).verdict == "needs networks"


def test_the_caption_says_what_training_does_at_each_way(tmp_path):
    rows = summary(spread_about(1.5, 0.1, 8), operator=spread_about(4.0, 0.1, 8))
    text = said("neuron_stability", tmp_path, tables(rows))
    assert "8.0 times as much trained and 2.0 times as much at init (equal Frobenius norm)" in text
    assert "3.0 and 2.0 times (equal change of what neurons see)" in text
    assert "Training multiplies this by 4.0, 1.5 and 1.5 in these three ways" in text and "seed" not in text
    several = [*summary(spread_about(1.5, 0.1, 8), seeds=(0, 1)), *summary([2.0] * 8, net="b", seeds=(0, 1))]
    assert "layers and 2 seeds" in said("neuron_stability", tmp_path, tables(several))


def test_the_caption_of_imported_weights_names_no_init_of_theirs(tmp_path):
    drawn = summary([1.5, 1.6, 1.7], imported=True)
    assert "times as much drawn anew" in said("neuron_stability", tmp_path, tables(drawn))
    assert decided("14a", tmp_path, tables(drawn)).reason.endswith("; against weights drawn anew in a")
    alone = said("neuron_stability", tmp_path, tables(summary([1.5], states=("trained",), imported=True)))
    assert (
        "3.0 times as much trained (equal Frobenius norm)" in alone and "init" not in alone and "Training" not in alone
    )
