"""Noise curves of a training; claims and caption."""

import math

import numpy as np
import pytest
import torch
from claiming import around, decided, reaches_every_verdict, said
from trainings import write_training

from diffeo_stability import InputError, temperature_range
from diffeo_stability.core.curves import log_spaced, summarise
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
    assert limits["image_size"] == 28 and 0 < limits["contrast_norm"] < limits["image_norm"]
    assert noise[0]["r_relative"] == pytest.approx(noise[0]["r"] / limits["image_norm"])
    for row in summary:
        ends = [row["r_changed_low"], row["r_changed"], row["r_changed_high"]]
        reached = [end for end in ends if not math.isnan(end)]
        assert reached == sorted(reached) and ends[: len(reached)] == reached
        assert row["prominence_low"] <= row["prominence"] <= row["prominence_high"]
        assert row["prominence_low"] >= 1 and row["rise_low"] >= 1


def test_norms_out_of_reach_are_named(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="lenet")
    settings = NoiseCurves(networks=["mine"], smallest_norm=200.0, largest_norm=900.0, norms=5)
    with pytest.raises(InputError, match=r"reach 0 of the norms 200 to 900: lower noise_curves.smallest_norm"):
        measure_noise_curves(
            Given(settings=settings, probe=Probe(images=20, resamples=100), checkpoints=folder, dataset=mnist5k)
        )


def curve(state="trained", perturbation="noise", **columns):
    """The summary of a curve of a deep net; without further columns it has a bump of 5 at r = 10."""
    shared = {
        "net": "deep",
        "seed": 0,
        "state": state,
        "architecture": "vgg11_bn",
        "imported": False,
        "batch_norm": "none",
    }
    shape = around("exponent", 2.0, 0.01) | around("bump_r", 10.0, 0.1) | around("bump_height", 5.0, 0.1)
    shape["tolerance"] = 0.2
    shape |= around("prominence", 4.0, 0.1) | around("rise", 5.0, 0.0) | around("r_changed", 8.0, 0.1)
    images = {"image_norm": 32.0, "contrast_norm": 25.0, "image_size": 32}
    return {**shared, "perturbation": perturbation, "output": "logits", "bump": True, **shape, **images, **columns}


def no_bump(state="trained", perturbation="noise", **columns):
    flat = around("bump_height", 1.0, 0.0) | around("prominence", 1.0, 0.0) | around("rise", 1.0, 0.0)
    flat["bump"] = False
    return curve(state, perturbation, **(flat | columns))


def tables(*rows):
    return {"noise_curves_summary": list(rows)}


def everything(**columns):
    """All curves of a net: a bump for noise once trained, and nowhere else."""
    return [
        (curve if (state, perturbation) == ("trained", "noise") else no_bump)(
            state, perturbation, output=output, **columns
        )
        for state in ("init", "trained")
        for perturbation in ("deformation", "noise")
        for output in ("logits", "softmax")
    ]


CASES = {
    "4": (lambda x, half: tables(curve(**around("exponent", x, half))), 2.01, 1.5, 2.1),
    "5a": (lambda x, half: tables(curve(**around("bump_height", x, half))), 6.0, 0.5, 1.2),
    "5b": (lambda x, half: tables(no_bump("init", **around("prominence", x, half))), 4.0, 1.01, 1.2),
    "5c": (lambda x, half: tables(curve(**around("r_changed", 10 / x, 9 * half / x))), 2.0, 9.0, 5.0),
    "5d": (lambda x, half: tables(curve(**around("bump_r", 25 * x, 25 * x * half))), 0.5, 0.05, 0.1),
    "5e": (lambda x, half: tables(no_bump("trained", "deformation", **around("prominence", x, half))), 4.0, 1.01, 1.2),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_reaches_every_verdict(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


@pytest.mark.parametrize("last", [5.0, 8.0, 16.0, 100.0])
def test_curves_that_rise_to_the_end_of_their_range_have_no_bump(tmp_path, last):
    """As summarised by the figure itself, whose largest norm is then the place of the largest value."""
    norms = log_spaced(0.01, last, 20)
    rising = torch.tensor(norms, dtype=torch.float64) ** 3
    summary = summarise(norms, rising, rising[:, None].expand(-1, 10), 0.2)
    assert summary["bump_r"] == norms[-1] and not summary["bump"] and summary["bump_height"] > 10
    assert summary["rise"] == pytest.approx(last / 0.01)
    row = decided("5a", tmp_path, tables(curve(**summary)))
    assert row.measured == 1.0 and row.verdict == "not reproduced"


def test_only_deep_nets_count_as_figures_show_them_and_the_median_decides(tmp_path):
    rows = [
        curve(net="vgg11", **around("bump_height", 3.0, 0.1)),
        curve(net="resnet18", architecture="resnet18", **around("bump_height", 2.0, 0.1)),
        no_bump(net="alexnet", architecture="alexnet"),
        no_bump(net="lenet", architecture="lenet"),
        no_bump(net="fully_connected_4", architecture="fully_connected_4"),
        curve("init", net="vgg11", **around("bump_height", 9.0, 0.1)),
    ]
    row = decided("5a", tmp_path, tables(*rows))
    assert row.measured == pytest.approx(2.0) and row.reason == "2 of 3 nets agree, not AlexNet (1)"
    both = [no_bump("init", batch_norm="batch"), curve("init", batch_norm="estimated")]
    assert decided("5b", tmp_path, tables(*both)).measured == 1


def test_the_exponent_furthest_from_two_counts(tmp_path):
    rows = [
        curve(**around("exponent", 2.05, 0.01)),
        curve(output="softmax", **around("exponent", 1.8, 0.01)),
        curve(net="other", **around("exponent", 1.99, 0.01)),
        curve("init", batch_norm="estimated", **around("exponent", 1.0, 0.01)),
    ]
    row = decided("4", tmp_path, tables(*rows))
    assert row.measured == pytest.approx(1.8) and row.reason == "1 of 2 nets agree, not deep (1.8)"


def test_a_rise_to_the_end_is_not_hidden_as_no_bump(tmp_path):
    rising = around("rise", 3.0, 0.1)
    rows = [no_bump("init", **rising), no_bump("trained", "deformation", **rising)]
    for name in ("5b", "5e"):
        assert (
            decided(name, tmp_path, tables(*rows)).reason
            == "deep alone; with no maximum to tell of it the curve rises 3.0-fold in deep"
        )
    text = said("noise_curves", tmp_path, tables(*everything(), *({**row, "net": "other"} for row in (curve(), *rows))))
    rise = "none (the curve rises 3.0-fold in other)"
    assert f"trained :math:`D_f / r^2` has {rise}" in text and f":math:`G_f / r^2` at init has {rise}" in text


@pytest.mark.parametrize(
    ("height", "rise", "tolerance", "said_to_rise"),
    [
        (0.003, 1.0, 0.2, False),  # a maximum far below the level of a curve that falls
        (5.0, 5.0, 0.2, False),
        (2.0, 6.0, 0.2, True),  # a maximum, and a higher rise to the end
        (0.5, 1.3, 0.2, True),
        (0.5, 1.3, 0.5, False),
    ],
)
def test_only_what_rises_is_said_to_rise(tmp_path, height, rise, tolerance, said_to_rise):
    row = curve("init", **around("bump_height", height, 0.0), **around("rise", rise, 0.0), tolerance=tolerance)
    found = decided("5b", tmp_path, tables(row | around("prominence", 3.0, 0.1)))
    assert ("the curve rises" in found.reason) == said_to_rise


def test_imagenet_is_asked_whether_its_bump_can_be_seen_and_no_more(tmp_path):
    rows = [curve(image_size=224, contrast_norm=400.0)]
    assert "for ImageNet see 5d" in decided("5c", tmp_path, tables(*rows)).reason
    assert "taken not to be ImageNet's" in decided("5c", tmp_path, tables(curve())).reason
    row = decided("5d", tmp_path, tables(*rows))
    assert row.measured == pytest.approx(0.025) and row.verdict == "no"


def test_a_bump_is_set_against_the_change_of_predictions_of_its_own_seed(tmp_path):
    """Of a seed whose predictions never change so much there is none."""
    seeds = [curve(), {**curve(bump_r=1000.0), "seed": 1, "r_changed": np.nan}]
    alone, both = (decided("5c", tmp_path, tables(*rows)) for rows in (seeds[:1], seeds))
    assert both.measured == pytest.approx(alone.measured)
    for unsure in (seeds[1], curve(r_changed_high=np.nan)):
        assert "change 5% of its predictions" in decided("5c", tmp_path, tables(unsure)).reason


def test_the_trainings_that_count_are_counted(tmp_path):
    seeds = [curve(seed=0), no_bump(seed=1), curve(net="vgg11", seed=0), curve(net="vgg11", seed=1)]
    for name in ("5c", "5d"):
        assert decided(name, tmp_path, tables(*seeds)).reason.endswith("; trainings that count: 1 of 2 in deep")
        assert "trainings" not in decided(name, tmp_path, tables(*seeds[2:])).reason


def test_a_net_without_a_bump_has_no_place_of_it(tmp_path):
    for name in ("5c", "5d"):
        assert decided(name, tmp_path, tables(no_bump())).reason == "the run has no trained deep net with a bump"


def test_the_caption_says_where_the_bump_is_and_who_has_none(tmp_path):
    rows = [
        *everything(),
        *everything(
            net="lenet",
            architecture="lenet",
            bump=False,
            **around("prominence", 1.3, 0.2),  # not surely one
            **around("rise", 3.0, 0.1),
        ),
    ]
    text = said("noise_curves", tmp_path, tables(*rows))
    assert "has a bump in 1 of 2 nets: :math:`r^*` is 10 in deep, 0.40 times" in text
    assert "There is no bump in LeNet; the curve rises 3.0-fold in LeNet." in text
    assert "seed" not in text and "estimated" not in text
    several = [{**row, "seed": seed, "bump": row["bump"] and seed < 2} for seed in range(3) for row in everything()]
    assert "(2 of 3 trainings; numbers are geometric means over seeds)" in said(
        "noise_curves", tmp_path, tables(*several)
    )


def test_the_caption_tells_what_estimated_batch_norm_gives(tmp_path):
    estimated = no_bump("init", batch_norm="estimated", **around("rise", 5.0, 0.1))
    text = said("noise_curves", tmp_path, tables(*everything(), estimated))
    assert "it would have none (the curve rises 5.0-fold in deep)" in text


def test_the_caption_of_imported_weights_names_no_init_of_theirs(tmp_path):
    rows = everything(imported=True)
    assert "drawn anew" in said("noise_curves", tmp_path, tables(*rows))
    alone = [row for row in rows if row["state"] == "trained"]
    text = said("noise_curves", tmp_path, tables(*alone))
    assert "init" not in text and ":math:`r^*` is 10 in deep" in text


def test_the_caption_of_a_run_without_any_bump_says_so(tmp_path):
    rows = [row | {"bump": False, "r_changed": np.nan} for row in everything()]
    text = said("noise_curves", tmp_path, tables(*rows))
    assert (
        text.startswith(
            "Trained, :math:`G_f / r^2` of the logits has no bump in deep; the curve rises 5.0-fold in deep."
        )
        and "softmax probabilities show no bump" in text
    )
