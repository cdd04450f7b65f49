"""Effective receptive fields: known shapes and sizes."""

import math

import pytest
import torch
from torch import nn

from diffeo_stability import InputError, build_network
from diffeo_stability.core.cropping import Place, views_of
from diffeo_stability.core.receptive_fields import effective_field, input_gradients, middle_place


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


def test_the_batch_size_changes_no_gradient(mnist5k):
    torch.manual_seed(0)
    network = build_network("vgg11_bn", 1, 28, 10, width=0.0625).double().eval()
    places = {name: middle_place(view) for name, view in views_of(network, nn.ReLU, 28, 1).items()}
    images = torch.randn(7, 1, 28, 28, generator=seeded(), dtype=torch.float64)
    whole, parts = (input_gradients(network, places, images, seeded(), batch_size) for batch_size in (7, 3))
    for name in places:
        assert whole[name].sum() > 0
        torch.testing.assert_close(whole[name], parts[name])
