"""From one image towards another."""

import pytest
import torch
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
    away = [row["distance"] for row in rows if row["perturbation"] == "datapoint"]
    assert len(away) == len(noise(rows)) == 20 and away[0] > 1.2 * noise(rows)[0]
