"""Nets with constant filters: maps and distances known in closed form, and the laws that they tend to."""

import math

import numpy as np
import pytest
import torch

from diffeo_stability import InputError
from diffeo_stability.core.constant_filters import (
    FLUCTUATIONS,
    RECTIFIED,
    AveragingNet,
    distances_by_layer,
    laws,
    noise_stability,
    one_hot,
)


def generators(count):
    return [torch.Generator().manual_seed(number) for number in range(count)]


def active(place, length):
    return one_hot(torch.tensor([place]), length)


def polynomial_power(coefficients, power):
    result = np.array([1.0])
    for _ in range(power):
        result = np.convolve(result, coefficients)
    return result


def test_inputs_and_maps_are_as_long_as_in_the_source():
    assert AveragingNet(3, 1, 40).input_length == 3 + 2 * 40 + 1
    assert AveragingNet(3, 1, 40).map_lengths(84) == [84] * 40
    assert AveragingNet(2, 2, 8).input_length == 2 + (2**9 - 2) + 1
    assert AveragingNet(2, 2, 8).map_lengths(513) == [256, 128, 64, 32, 16, 8, 4, 2]
    assert AveragingNet(3, 2, 4).input_length == 64 and AveragingNet(3, 2, 4).map_lengths(64) == [32, 16, 8, 4]


def test_the_first_layer_is_an_average_and_with_strides_a_sum():
    ((before, after),) = AveragingNet(3, 1, 1).maps(active(4, 9))
    assert before[0].tolist() == pytest.approx([0, 0, 0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0]) and torch.equal(before, after)
    ((_, pooled),) = AveragingNet(2, 2, 1).maps(active(5, 9))
    assert pooled[0].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(("filter_size", "layers"), [(2, 6), (3, 6), (5, 4)])
def test_maps_of_deep_layers_are_powers_of_the_filter(filter_size, layers):
    """Binomial and trinomial coefficients, over what they add up to."""
    expected = polynomial_power(np.ones(filter_size), layers)
    *_, (_, map_) = AveragingNet(filter_size, 1, layers).maps(active(30, 61))
    values = map_[0][map_[0] > 0].numpy()
    np.testing.assert_allclose(values * filter_size**layers, expected, rtol=1e-9)


def test_relus_clip_what_is_negative_and_a_linear_net_has_none():
    inputs = -active(4, 9)
    ((before, after),) = AveragingNet(3, 1, 1, bias=0.1).maps(inputs)
    assert before.min() == pytest.approx(0.1 - 1 / 3) and torch.equal(after, before.relu())
    ((before, after),) = AveragingNet(3, 1, 1).maps(inputs, rectified=False)
    assert torch.equal(before, after)


def test_distances_of_filters_as_large_as_their_stride_are_exact():
    """A pixel stays one, in one of 2^(L + 1 - k) cells; the last shift leaves them all."""
    net, layers = AveragingNet(2, 2, 5), range(1, 6)
    found = distances_by_layer(net, net.input_length, generators(1))["everywhere"]
    places = net.input_length - 1
    for layer, distances in zip(layers, found, strict=True):
        assert distances.images == places
        between = 2 * (1 - (2**layer - 1) / (places - 1))
        shift = 2 / 2**layer - 1 / places
        assert float(distances.between_images(distances.spread.mean())) == pytest.approx(between, rel=1e-9)
        assert float(distances.moved[0].mean()) == pytest.approx(shift, rel=1e-9)
        assert float(distances.normalised()[0]) == pytest.approx(shift / between, rel=1e-9)


@pytest.mark.parametrize(("net", "length", "tolerance"), [((3, 1, 20), 240, 0.1), ((2, 2, 4), 512, 0.05)])
def test_deep_layers_of_long_inputs_follow_the_laws(net, length, tolerance):
    net = AveragingNet(*net)
    found = distances_by_layer(net, length, generators(3))
    assert set(found) == set(RECTIFIED)
    scale = net.scales[-1]
    D, *G = found["everywhere"][-1].normalised().tolist()
    assert pytest.approx(laws(net)["D"].at(scale), rel=tolerance) == D
    assert np.mean(G) == pytest.approx(laws(net)["G"].at(scale) + FLUCTUATIONS, rel=tolerance)
    # Without ReLUs noise and inputs pool alike: |eta|^2 = 2 against twice the squared norm of one input's map
    assert np.mean(found["nowhere"][-1].normalised()[1:].tolist()) == pytest.approx(1, rel=2 * tolerance)
    # Noise that the first layer rectifies has pooled once before
    assert np.mean(found["layers"][-1].normalised()[1:].tolist()) < np.mean(G)


def test_laws_are_sums_over_powers_of_the_filter():
    p = polynomial_power(np.ones(3) / 3, 200)
    net, scale = AveragingNet(3, 1, 200), 200
    assert laws(net)["between"].at(scale) == pytest.approx(2 * (p**2).sum(), rel=0.01)
    assert laws(net)["shift"].at(scale) == pytest.approx((np.diff(p, prepend=0, append=0) ** 2).sum(), rel=0.01)
    assert laws(net)["D"].at(scale) == pytest.approx(3 / 8 / 200)
    assert {quantity: law.exponent for quantity, law in laws(net).items()} == {
        **{"shift": -1.5, "noise": 0, "between": -0.5},
        **{"D": -1, "G": 0.5, "R": -1.5},
    }
    strided = laws(AveragingNet(2, 2, 3))
    assert [strided[quantity].exponent for quantity in "DGR"] == [-1, 1, -2]
    assert strided["R"].prefactor == pytest.approx(2 * math.pi)


def test_where_no_law_is_known_this_is_said():
    for net in (AveragingNet(5, 2, 3), AveragingNet(1, 1, 3)):
        with pytest.raises(InputError, match=f"filters of {net.filter_size} pixels with stride {net.stride}"):
            laws(net)


def test_draws_of_noise_are_independent_of_how_many_there_are():
    net = AveragingNet(3, 1, 2)
    few, more = (distances_by_layer(net, 12, generators(count))["everywhere"][-1].moved for count in (1, 3))
    torch.testing.assert_close(more[:2], few)
    assert more.shape == (4, 11) and not torch.equal(more[1], more[2])


def test_small_noise_scales_with_the_bias_and_without_one_has_no_scale():
    """As long as the active pixel stays active, all that counts is noise over bias."""
    net, norms = AveragingNet(3, 2, 4), [1e-5, 1e-4]
    ratios = [
        noise_stability(net._replace(bias=bias), norms, generators(2)) / torch.tensor(norms)[:, None] ** 2
        for bias in (0.0, 1e-5, 1e-4)
    ]
    none, small, large = ratios
    torch.testing.assert_close(none[0], none[1], rtol=1e-4, atol=0)
    torch.testing.assert_close(small[0], large[1], rtol=1e-4, atol=0)
    assert (small[1] - small[0]).abs().min() > 0.01
