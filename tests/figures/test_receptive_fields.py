"""Receptive fields: known shapes and sizes, rotations about other centres, and a training's table."""

import math

import pytest
import torch
from torch import nn
from trainings import write_training

from diffeo_stability import InputError
from diffeo_stability.core.cropping import Place, views_of
from diffeo_stability.core.neurons import measure_affine
from diffeo_stability.figures.receptive_fields import ReceptiveFields
from diffeo_stability.figures.receptive_fields.measurement import (
    effective_field,
    input_gradients,
    measure_receptive_fields,
    middle_place,
    off_centre_rotations,
)
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_uniform_field_has_its_own_size_and_centre():
    maps = torch.zeros(3, 20, 20, dtype=torch.float64)
    maps[:, 4:11, 8:15] = torch.tensor([1.0, 2, 5])[:, None, None]
    field = effective_field(maps, 100, seeded())
    assert field.size == pytest.approx(7) == pytest.approx(field.low) == pytest.approx(field.high)
    assert (field.x, field.y) == (pytest.approx(11), pytest.approx(7))
    assert float(field.weights.sum()) == pytest.approx(1)


def test_a_point_has_size_one_and_nothing_has_none():
    maps = torch.zeros(2, 9, 9, dtype=torch.float64)
    with pytest.raises(InputError, match="respond to none of the images"):
        effective_field(maps, 100, seeded())
    maps[:, 3, 3] = 1
    assert effective_field(maps, 100, seeded()).size == pytest.approx(1)


def averaging(channels, depth):
    """Convolutions of constant filters, all of whose activations are positive on positive images."""
    operations = []
    for layer in range(depth):
        operations += [nn.Conv2d(1 if layer == 0 else channels, channels, 3, padding=1), nn.ReLU()]
    for module in operations[::2]:
        nn.init.constant_(module.weight, 1.0)
        nn.init.zeros_(module.bias)
    return nn.Sequential(*operations).double()


@pytest.mark.parametrize("channels", [1, 4])
def test_gradients_of_constant_filters_are_the_known_ones(channels):
    """After one layer a uniform 3 x 3 square; after two the product of [1, 2, 3, 2, 1] along both axes."""
    network = averaging(channels, 2)
    images = torch.rand(6 if channels == 1 else 400, 1, 15, 15, generator=seeded(), dtype=torch.float64) + 1
    places = {"1": Place(7, 7), "3": Place(7, 7)}
    maps = input_gradients(network, places, images, seeded(), batch_size=100)
    profile = torch.tensor([1.0, 2, 3, 2, 1], dtype=torch.float64).square()
    one, two = torch.zeros(2, 15, 15, dtype=torch.float64)
    one[6:9, 6:9] = 1
    two[5:10, 5:10] = profile[:, None] * profile
    # Channels that are alike: signs s_k give (sum of s)^2, which is their number in the mean
    tolerance = 1e-9 if channels == 1 else 5 * math.sqrt(2 / len(images))
    torch.testing.assert_close(maps["1"].mean(0) / channels, one, rtol=tolerance, atol=1e-12)
    torch.testing.assert_close(maps["3"].mean(0) / channels**3, two, rtol=tolerance, atol=1e-12)
    size = effective_field(maps["3"], 100, seeded()).size
    assert size == pytest.approx(math.sqrt(12 * 16 / 19 + 1))


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
    moved = measure_affine(network, views, places, images, list(fields.values()), size=1.0, batch_size=25)["1"].moved
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
    with pytest.raises(InputError, match="5000: the test split has 1000"):
        measure_receptive_fields(Given(settings=settings, probe=Probe(), checkpoints=folder, dataset=mnist5k))
