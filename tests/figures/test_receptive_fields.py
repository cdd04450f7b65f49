"""Receptive fields: known shapes and sizes, rotations about other centres, and a training's table."""

import math

import pytest
import torch
from claiming import said
from torch import nn
from trainings import write_training

from diffeo_stability import InputError
from diffeo_stability.core.cropping import views_of
from diffeo_stability.core.neurons import linear_norms, measure_affine
from diffeo_stability.core.receptive_fields import middle_place
from diffeo_stability.figures.receptive_fields import ReceptiveFields
from diffeo_stability.figures.receptive_fields.measurement import (
    measure_receptive_fields,
    off_centre_rotations,
)
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_off_centre_rotations_leave_their_own_centre_in_place():
    fields = off_centre_rotations(50, [0.0, 3.0, 7.0], seeded())
    assert list(fields) == [
        ("rotation", 0.0),
        ("rotation", 3.0),
        ("rotation", 7.0),
        ("translation", 3.0),
        ("translation", 7.0),
    ]
    for (kind, distance), (matrices, shifts) in fields.items():
        torch.testing.assert_close(shifts.norm(dim=1), torch.full((50,), distance / math.sqrt(2), dtype=torch.float64))
        if kind == "translation":
            assert not matrices.any()
        else:
            torch.testing.assert_close(matrices, -matrices.mT)
            centre = -torch.linalg.solve(matrices, shifts)
            torch.testing.assert_close(centre.norm(dim=1), torch.full((50,), distance, dtype=torch.float64))
    torch.testing.assert_close(fields["rotation", 3.0].shifts, fields["translation", 3.0].shifts)


def test_a_rotation_far_from_its_centre_is_the_translation_that_it_is_there():
    """Of a mean over its field, which no rotation about its own centre changes on linear images."""
    network = nn.Sequential(nn.Conv2d(1, 1, 5), nn.ReLU()).double().eval()
    nn.init.constant_(network[0].weight, 1 / 25)
    nn.init.constant_(network[0].bias, 100)
    slopes = torch.randn(60, 2, 1, 1, generator=seeded(), dtype=torch.float64)
    pixel = torch.arange(21, dtype=torch.float64)
    images = (slopes[:, :1] * pixel + slopes[:, 1:] * pixel[:, None]).double()
    view = views_of(network, nn.ReLU, 21, 1)["1"]
    fields = off_centre_rotations(60, [0.0, 1.5, 3.0], seeded())
    views, places = {"1": view}, {"1": [middle_place(view)]}
    norms = {"1": linear_norms(view, places["1"], 1.0).expand(len(fields), -1)}
    moved = measure_affine(network, views, places, images, list(fields.values()), norms, batch_size=25)["1"].moved
    by_field = dict(zip(fields, moved.mean((1, 2, 3)), strict=True))
    assert by_field["rotation", 0.0] < 1e-20
    for distance in (1.5, 3.0):
        torch.testing.assert_close(by_field["rotation", distance], by_field["translation", distance])
    torch.testing.assert_close(by_field["rotation", 3.0], 4 * by_field["rotation", 1.5])


def test_a_training_is_measured_at_init_and_trained(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: network.conv2.weight.mul_(-1), name="lenet")
    settings = ReceptiveFields(networks=["mine"], images=30, places=4, distances=[0.0, 4.0])
    rows, summary, pictures = measure_receptive_fields(
        Given(settings=settings, probe=Probe(resamples=100), checkpoints=folder, dataset=mnist5k)
    )
    assert [(row["state"], row["layer"], row["size"], row["stride"]) for row in rows] == [
        (state, *layer) for state in ("init", "trained") for layer in (("relu1", 5, 1), ("relu2", 14, 2))
    ]
    for row in rows:
        assert 1 < row["effective_low"] <= row["effective_size"] <= row["effective_high"] < row["size"] + 1
        assert abs(row["effective_x"] - row["centre_x"]) < row["size"] / 2
    assert pictures["init"].shape == pictures["trained"].shape == (2, 28, 28)
    torch.testing.assert_close(pictures["trained"].double().sum((1, 2)), torch.ones(2).double(), rtol=0, atol=1e-6)
    assert torch.equal(pictures["init"][0], pictures["trained"][0])
    assert not torch.equal(pictures["init"][1], pictures["trained"][1])
    assert len(summary) == 2 * 2 * 3
    for row in summary:
        assert row["low"] <= row["alpha"] <= row["high"] and row["neurons"] > 0


def test_more_images_than_there_are_is_an_error(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="lenet")
    settings = ReceptiveFields(networks=["mine"], images=5000, distances=[0.0, 1.0])
    with pytest.raises(InputError, match="5000 test images are asked for: the test split has 1000"):
        measure_receptive_fields(Given(settings=settings, probe=Probe(), checkpoints=folder, dataset=mnist5k))


def test_an_untrained_net_shows_the_reading_of_batch_norm_that_comes_first(mnist5k, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="vgg11_bn", width=0.0625)
    settings = ReceptiveFields(networks=["mine"], images=20, places=1, distances=[0.0, 4.0])
    rows, _, pictures = measure_receptive_fields(
        Given(settings=settings, probe=Probe(resamples=100), checkpoints=folder, dataset=mnist5k)
    )
    assert set(pictures) == {"init", "trained"} and pictures["init"].shape == (8, 28, 28)
    pixel = torch.arange(28.0)
    centres = [float((weights.sum(0) * pixel).sum()) for weights in pictures["init"]]
    by_reading = {
        reading: [row["effective_x"] for row in rows if (row["state"], row["batch_norm"]) == ("init", reading)]
        for reading in ("batch", "estimated")
    }
    assert centres == pytest.approx(by_reading["batch"], rel=1e-4)
    assert centres != pytest.approx(by_reading["estimated"], rel=1e-4)


def tables(nets=("vgg11",), seeds=(0,), states=("init", "trained"), imported=False):
    """Two layers of fields whose effective width is half the theoretical one, and rotations that move more when far."""
    fields, alphas = [], []
    for net in nets:
        for seed in seeds:
            for state in states:
                readings = ("batch", "estimated") if state == "init" else ("running",)
                for reading in readings:
                    own = {"net": net, "seed": seed, "state": state, "imported": imported, "batch_norm": reading}
                    for layer in (1, 2):
                        place = own | {"layer_index": layer}
                        fields.append(place | {"size": 10 * layer, "effective_size": 5.0 * layer, "image_size": 28})
                        alphas += [
                            place | {"transformation": kind, "distance": distance, "alpha": alpha}
                            for kind, distance, alpha in (
                                ("rotation", 0.0, 0.1),
                                ("rotation", 4.0, 0.3),
                                ("translation", 4.0, 0.2),
                            )
                        ]
    return {"receptive_fields": fields, "receptive_fields_summary": alphas}


def test_the_caption_says_how_wide_fields_are_and_what_rotations_do(tmp_path):
    for nets, seeds in ((("vgg11",), (0,)), (("vgg11", "vgg16"), (0, 1, 2))):
        text = said("receptive_fields", tmp_path, tables(nets, seeds))
        assert "theoretical receptive field is 20 pixels wide, the effective one 10 trained and 10 at init" in text
        assert (
            "10 with batch-norm estimated" in text
            and "50% of the theoretical width, or of the image's where that is smaller" in text
        )
        assert "3.0 (trained) and 3.0 (at init) times as much as one about their field's own centre" in text
        assert "1.5 (trained) and 1.5 (at init) times as much as the translation" in text


def test_seeds_of_a_net_are_one_point_and_means_are_of_logarithms(tmp_path):
    given = tables(("vgg11", "vgg16"), seeds=(0, 1))
    factors = {("vgg11", 0): 0.5, ("vgg11", 1): 2.0, ("vgg16", 0): 4.0, ("vgg16", 1): 1.0}
    for row in given["receptive_fields"]:
        row["effective_size"] *= factors[row["net"], row["seed"]]
    for row in given["receptive_fields_summary"]:
        if (row["transformation"], row["distance"]) == ("rotation", 4.0):
            row["alpha"] *= factors[row["net"], row["seed"]]
    text = said("receptive_fields", tmp_path, given)
    assert "the effective one 10 to 20 trained" in text and "3.0 to 6.0 (trained)" in text and "over 2 seeds" in text


def test_the_caption_of_imported_weights_names_no_init_of_theirs(tmp_path):
    assert "drawn anew" in said("receptive_fields", tmp_path, tables(imported=True))
    alone = said("receptive_fields", tmp_path, tables(states=("trained",), imported=True))
    assert "init" not in alone and "drawn anew" not in alone and "10 trained" in alone
