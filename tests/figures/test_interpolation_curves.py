"""From one image towards another; claims and caption."""

import math

import pytest
import torch
from claiming import decided, reaches_every_verdict, said, with_interval
from trainings import write_training

from diffeo_stability import InputError
from diffeo_stability.core.curves import mean_distance, partners, towards
from diffeo_stability.data.probe import probe_images
from diffeo_stability.figures.interpolation_curves import InterpolationCurves
from diffeo_stability.figures.interpolation_curves.measurement import measure_interpolation_curves
from diffeo_stability.figures.noise_curves import NoiseCurves
from diffeo_stability.figures.noise_curves.measurement import measure_noise_curves
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe


def test_every_image_has_another_partner():
    for count in (2, 3, 50):
        partner = partners(count, torch.Generator().manual_seed(count))
        assert sorted(partner.tolist()) == list(range(count))
        assert (partner != torch.arange(count)).all()
    with pytest.raises(InputError, match="at least 2"):
        partners(1, torch.Generator())


def test_the_whole_way_ends_at_the_partner(mnist5k):
    images = probe_images(mnist5k, 12, seed=0)[:].double()
    partner = partners(12, torch.Generator().manual_seed(0))
    part = slice(3, 8)
    batch, goal = images[part], images[partner[part]]
    way = (goal - batch).flatten(1).norm(dim=1)
    for k in range(5):
        moved = list(towards(images, partner, [0.0, float(way[k]) / 2, float(way[k])])(batch, part))
        torch.testing.assert_close(moved[0], batch)
        torch.testing.assert_close(moved[1][k], (batch[k] + goal[k]) / 2, atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(moved[2][k], goal[k], atol=1e-12, rtol=1e-12)
    expected = (images[partner] - images).flatten(1).norm(dim=1).mean()
    assert mean_distance(images, partner) == pytest.approx(float(expected), rel=1e-12)


def test_equal_images_have_no_direction():
    images = torch.ones(3, 1, 4, 4)
    with pytest.raises(InputError, match="two of the images are the same"):
        list(towards(images, torch.tensor([1, 2, 0]), [1.0])(images, slice(None)))


def test_noise_is_what_noise_curves_measures_and_partners_differ(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="lenet")
    norms = {"networks": ["mine"], "smallest_norm": 0.1, "largest_norm": 30.0, "norms": 5}
    probe = Probe(images=50, resamples=100)
    rows = measure_interpolation_curves(
        Given(settings=InterpolationCurves(**norms), probe=probe, checkpoints=folder, dataset=mnist5k)
    ).table
    others = measure_noise_curves(
        Given(settings=NoiseCurves(**norms), probe=probe, checkpoints=folder, dataset=mnist5k)
    ).table

    def noise(table):
        return [row["distance"] for row in table if row["perturbation"] == "noise"]

    assert noise(rows) == pytest.approx(noise(others), rel=1e-9)
    assert all(math.isnan(row["delta"]) for row in rows)
    assert {row["r"]: row["r_relative"] for row in rows} == pytest.approx(
        {row["r"]: row["r_relative"] for row in others}
    )
    away = [row["distance"] for row in rows if row["perturbation"] == "datapoint"]
    assert len(away) == len(noise(rows)) == 20 and away[0] > 1.2 * noise(rows)[0]


def curves(ratio, half=0.01, net="a", state="trained", **columns):
    """Beyond half of the way, at 9, the curves differ whatever the ratio, which must not count."""
    shared = {"net": net, "seed": 0, "state": state, "architecture": "vgg11", "imported": False, "batch_norm": "none"}
    return [
        {**shared, "output": "logits", "perturbation": kind, "r": r, "datapoint_distance": 10.0, **columns}
        | with_interval("distance", value * r**2 * (100.0 if kind == "noise" and r == 9.0 else 1.0), half)
        for r in (0.1, 1.0, 9.0)
        for kind, value in (("noise", 1.0), ("datapoint", ratio))
    ]


def tables(*rows):
    return {"interpolation_curves": list(rows)}


def test_the_question_gets_every_answer(tmp_path):
    reaches_every_verdict("6", tmp_path, lambda x, half: tables(*curves(x, half)), 1.1, 5.0, 1.5)


def test_a_curve_below_that_of_noise_is_unlike_it_as_well_and_the_median_net_decides(tmp_path):
    assert decided("6", tmp_path, tables(*curves(0.2))).measured == pytest.approx(5.0)
    rows = [*curves(0.2), *curves(1.2, net="b"), *curves(1 / 1.3, net="c"), *curves(9.0, net="b", state="init")]
    row = decided("6", tmp_path, tables(*rows))
    assert (
        row.measured == pytest.approx(1.3)
        and row.verdict == "yes"
        and row.reason.startswith("yes in 2 of 3 nets, not in a")
    )


def test_the_caption_gives_the_ratios(tmp_path):
    rows = [*curves(4.0), *curves(1.1, net="b"), *curves(1.0, state="init")]
    text = said("interpolation_curves", tmp_path, tables(*rows))
    assert "trained, 4.0 in a and 1.1 in b at the smallest norm" in text and "10 apart" in text
    assert "At init the ratio at the smallest norm is 1.0 in a." in text and "seeds" not in text
    several = [{**row, "seed": seed} for seed in range(2) for row in rows]
    assert "means over 2 seeds" in said("interpolation_curves", tmp_path, tables(*several))
    both = [*rows, *curves(3.0, state="init", batch_norm="estimated")]
    assert "and 3.0 in a with batch-norm estimated" in said("interpolation_curves", tmp_path, tables(*both))


def test_the_caption_of_imported_weights_names_no_init_of_theirs(tmp_path):
    alone = curves(2.0, imported=True)
    assert "init" not in said("interpolation_curves", tmp_path, tables(*alone))
    drawn = [*alone, *curves(1.0, state="init", imported=True)]
    assert "drawn anew" in said("interpolation_curves", tmp_path, tables(*drawn))
