"""Curves over the norm of a perturbation: solver, exact curves of simple functions, linear regime and bump."""

import math

import pytest
import torch
from torch import nn

from diffeo_stability.core.curves import (
    deformations_of,
    displacements_of_norms,
    log_spaced,
    mean_displaced_norm,
    mean_norms,
    measure_curves,
    noise_of_norms,
    norm_of_share,
    peak,
    prominences,
    resample,
    summarise,
)
from diffeo_stability.core.deformation import coefficients_for
from diffeo_stability.data.probe import probe_images

MIDDLE = 14 * 28 + 14  # of a digit's pixels, one that is not black in all of them


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def digits(mnist5k):
    return probe_images(mnist5k, 80, seed=0)


@pytest.mark.parametrize("interpolation", ["bilinear", "gaussian"])
def test_solver_hits_its_norms_within_one_percent(digits, interpolation):
    coefficients = coefficients_for(digits, 3, 1.0, seeded())
    how = {"cutoff": 3, "interpolation": interpolation}
    smallest = 0.05 if interpolation == "bilinear" else 8.0  # Gaussian interpolation blurs however little it displaces
    norms = log_spaced(smallest, 15, 6)
    found = displacements_of_norms(digits, coefficients, norms, **how)
    assert found == sorted(found)
    for norm, displacement in zip(norms, found, strict=True):
        assert mean_displaced_norm(digits, coefficients, displacement, **how) == pytest.approx(norm, rel=0.01)
        deformed = next(iter(deformations_of(coefficients, [displacement], 3, interpolation)(digits[:], slice(None))))
        assert float((deformed - digits[:]).flatten(1).norm(dim=1).mean()) == pytest.approx(norm, rel=0.01)


def test_norms_that_no_deformation_reaches_are_left_open(digits):
    coefficients = coefficients_for(digits, 3, 1.0, seeded())
    reached, beyond = displacements_of_norms(digits, coefficients, [5.0, 500.0], cutoff=3)
    assert reached > 0 and math.isnan(beyond)
    # Pixels either keep their place or move by one: less than one pixel of one image cannot change
    tiny = displacements_of_norms(digits, coefficients, [1e-4, 5.0], cutoff=3, interpolation="nearest")
    assert math.isnan(tiny[0]) and tiny[1] > 0


def test_norms_below_what_the_interpolation_does_by_itself_are_left_open(digits):
    """Gaussian interpolation blurs, and single precision rounds, however little they displace."""
    coefficients = coefficients_for(digits, 3, 1.0, seeded())
    for interpolation, norm in (("gaussian", 0.1), ("bilinear", 1e-9)):
        assert math.isnan(
            displacements_of_norms(digits, coefficients, [norm], cutoff=3, interpolation=interpolation)[0]
        )


def test_images_that_deformations_leave_alone_reach_no_norm():
    flat = torch.ones(4, 1, 12, 12)
    assert math.isnan(displacements_of_norms(flat, coefficients_for(flat, 3, 1.0, seeded()), [1.0], cutoff=3)[0])


def test_noise_has_its_norm_and_one_direction(digits):
    clean = digits[:20]
    small, large = noise_of_norms([0.5, 7.0], seeded())(clean, slice(0, 20))
    for noisy, norm in ((small, 0.5), (large, 7.0)):
        torch.testing.assert_close((noisy - clean).flatten(1).norm(dim=1), torch.full((20,), norm), rtol=1e-3, atol=0)
    torch.testing.assert_close((small - clean) * 14, large - clean, rtol=1e-3, atol=1e-5)


def linear_network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).double()


class Doubles:
    """Digits in double precision."""

    def __init__(self, images):
        self.images = images[:].double()
        self.shape, self.dtype, self.device = self.images.shape, torch.float64, torch.device("cpu")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, part):
        return self.images[part]


def test_a_linear_map_is_quadratic_everywhere(digits):
    norms = log_spaced(0.01, 100, 9)
    curves = measure_curves(
        linear_network(),
        Doubles(digits),
        digits.labels,
        lambda: {"noise": noise_of_norms(norms, seeded())},
        batch_size=30,
    )
    curve = curves["noise", "logits"]
    ratio = curve.distances.normalised() / torch.tensor(norms, dtype=torch.float64) ** 2
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-8, atol=0)
    resampled = resample(curve.distances, 200, seeded())
    summary = summarise(norms, curve.distances.normalised(), resampled, tolerance=0.2)
    assert summary["exponent"] == pytest.approx(2, abs=1e-6) and summary["exponent_high"] == pytest.approx(2, abs=1e-6)
    assert summary["linear_until"] == pytest.approx(100) and not summary["bump"]
    assert summary["level"] == pytest.approx(float(ratio[0]))


def test_shares_count_changed_and_wrong_predictions(digits):
    """A network that reads off one pixel: the direction of the noise decides when its prediction changes."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 2, bias=False)).double()
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].weight[0, MIDDLE], network[1].weight[1, MIDDLE] = 1, -1
    images = Doubles(digits)
    norms = [0.1, 1.0, 1000.0]
    direction = (next(iter(noise_of_norms([1.0], seeded())(images[:], slice(None)))) - images[:]).flatten(1)[:, MIDDLE]
    pixel = images[:].flatten(1)[:, MIDDLE]
    labels = torch.zeros(len(images), dtype=torch.long)
    curve = measure_curves(network, images, labels, lambda: {"noise": noise_of_norms(norms, seeded())})[
        "noise", "logits"
    ]
    for norm, changed, error in zip(norms, curve.changed, curve.error, strict=True):
        moved = pixel + norm * direction
        assert float(changed) == pytest.approx(float(((moved < 0) != (pixel < 0)).double().mean()))
        assert float(error) == pytest.approx(float((moved < 0).double().mean()))
    assert 0.3 < float(curve.changed[-1]) < 0.7


def test_images_of_classes_that_the_network_does_not_know_are_not_counted_as_wrong(digits):
    """A network of two outputs, trained on the first two classes, cannot name a third one."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 2)).double()
    labels = torch.arange(len(digits)) % 4

    def noise():
        return {"noise": noise_of_norms([1e-6, 1.0], seeded())}

    error = measure_curves(network, Doubles(digits), labels, noise, batch_size=30)["noise", "logits"].error
    predicted = network(digits[:].double()).argmax(1)
    assert float(error[0]) == pytest.approx(float((predicted != labels)[labels < 2].double().mean()))


def test_batch_size_changes_nothing(digits):
    images, norms = Doubles(digits), [0.1, 10.0]
    results = [
        measure_curves(
            linear_network(), images, digits.labels, lambda: {"noise": noise_of_norms(norms, seeded())}, batch_size=size
        )
        for size in (7, 80)
    ]
    for output in ("logits", "softmax"):
        one, other = (result["noise", output] for result in results)
        torch.testing.assert_close(one.distances.normalised(), other.distances.normalised(), rtol=1e-9, atol=0)
        assert torch.equal(one.changed, other.changed) and torch.equal(one.error, other.error)


def test_peak_of_a_parabola_in_the_logarithms_is_exact():
    norms = torch.tensor(log_spaced(0.1, 100, 16), dtype=torch.float64)
    places = torch.tensor([0.7, 5.0, 33.0], dtype=torch.float64)
    curves = 3 * torch.exp(-((norms[:, None].log() - places.log()) ** 2))
    place, height = peak(norms, curves)
    torch.testing.assert_close(place, places)
    torch.testing.assert_close(height, torch.full((3,), 3.0, dtype=torch.float64))
    gaps = torch.tensor([0, 2, 3, 5, 6, 9, 13, 15])
    torch.testing.assert_close(peak(norms[gaps], curves[gaps])[0], places)
    falling, rising = (1 / norms)[:, None], norms[:, None]
    assert float(peak(norms, falling)[0]) == pytest.approx(0.1) and float(peak(norms, rising)[0]) == pytest.approx(100)


def test_a_bump_is_found_where_it_is_planted():
    """Quadratic up to about 1, five times that level at 10, then falling."""
    norms = log_spaced(0.01, 100, 25)
    r = torch.tensor(norms, dtype=torch.float64)
    curve = 0.3 * r**2 * (1 + 4 * torch.exp(-((r / 10).log() ** 2)))
    noise = torch.randn(25, 300, generator=seeded(), dtype=torch.float64)
    summary = summarise(norms, curve, curve[:, None] * (1 + 0.05 * noise), tolerance=0.2)
    assert summary["bump"] and summary["bump_r"] == pytest.approx(10, rel=0.02)
    assert summary["bump_r_low"] < 10 < summary["bump_r_high"] and summary["bump_height"] == pytest.approx(5, rel=0.01)
    assert summary["level"] == pytest.approx(0.3) and summary["exponent"] == pytest.approx(2, abs=0.01)
    assert 1 < summary["linear_until"] < 2.5
    few = log_spaced(0.001, 100, 4)
    quadratic = torch.tensor(few, dtype=torch.float64) ** 2
    assert summarise(few, quadratic, quadratic[:, None].expand(-1, 9), tolerance=0.2)["exponent"] == pytest.approx(2)
    without = summarise(norms, 0.3 * r**2 / (1 + r), (0.3 * r**2 / (1 + r))[:, None].expand(-1, 200), tolerance=0.2)
    assert not without["bump"] and without["bump_r"] == pytest.approx(0.01)


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, 2, 3, 4), (1, 1)),  # to its end a curve may rise, which is no interior maximum
        ((4, 3, 2, 1), (1, 1)),
        ((2, 2, 2, 2), (1, 1)),
        ((1, 6, 2, 1), (6, 1)),
        ((1, 6, 2, 3), (3, 1)),  # the higher of the two lowest values on either side
        ((1, 6, 2, 12), (3, 1)),  # a rise to the end that is higher leaves the bump what it is
        ((9, 3, 6, 2), (1, 2)),  # beyond what is higher the way does not lead on
        ((1, 4, 2, 8, 1), (2, 1, 8)),
    ],
)
def test_prominences_of_known_curves(values, expected):
    torch.testing.assert_close(prominences(column(*values)), column(*expected))


def test_prominences_do_not_depend_on_scale_or_direction():
    curves = torch.rand(9, 20, generator=seeded(), dtype=torch.float64) + 0.1
    torch.testing.assert_close(prominences(7 * curves), prominences(curves))
    torch.testing.assert_close(prominences(curves.flip(0)).flip(0), prominences(curves))


def summary_of(norms, ratio):
    distances = ratio * torch.tensor(norms, dtype=torch.float64) ** 2
    return summarise(norms, distances, distances[:, None].expand(-1, 20), tolerance=0.2)


def test_a_bump_before_a_higher_rise_to_the_end_is_seen_and_the_rise_as_well():
    norms = log_spaced(0.01, 1000, 61)
    r = torch.tensor(norms, dtype=torch.float64)
    bump, rise = 4 * torch.exp(-((r / 3).log() ** 2)), (r / 300) ** 3
    summary = summary_of(norms, 1 + bump + rise)
    assert summary["bump"] and summary["bump_r"] == pytest.approx(3, rel=0.02)
    assert summary["bump_height"] == pytest.approx(5, rel=0.02) and 4 < summary["prominence"] <= 5.01
    assert summary["rise"] == pytest.approx(float(1 + rise[-1]), rel=0.01) and summary["rise_r"] == norms[-1]
    alone = summary_of(norms, 1 + bump)
    assert alone["prominence"] == pytest.approx(5, rel=0.02) and alone["rise"] == pytest.approx(5, rel=0.02)
    for ratio in (1 + rise, 1 / (1 + r)):
        monotone = summary_of(norms, ratio)
        assert not monotone["bump"] and monotone["prominence"] == monotone["prominence_high"] == 1
    assert summary_of(norms, 1 + rise)["rise"] == pytest.approx(float((1 + rise[-1]) / (1 + rise[0])))
    assert summary_of(norms, 1 / (1 + r))["rise"] == 1


@pytest.mark.parametrize(
    ("ratio", "rise", "place"),
    [
        ((1, 1, 2, 4, 3.9), 4, 3),  # the fall beyond the highest place is too small for a bump
        ((1, 1, 0.2, 0.1, 0.3), 1, 0),  # what rises from a dip and stays below the level has not risen
    ],
)
def test_a_rise_is_above_the_level_and_ends_where_the_curve_is_highest(ratio, rise, place):
    norms = log_spaced(1, 16, 5)
    summary = summary_of(norms, torch.tensor(ratio, dtype=torch.float64))
    assert not summary["bump"] and summary["rise"] == pytest.approx(rise) and summary["rise_r"] == norms[place]


def test_a_ripple_on_a_rise_is_no_bump():
    norms = log_spaced(0.1, 100, 31)
    ratio = torch.tensor(norms, dtype=torch.float64)
    ratio[25] = 1.01 * ratio[26]
    summary = summary_of(norms, ratio)
    assert not summary["bump"] and 1 < summary["prominence"] < 1.02 and summary["bump_r"] == norms[-1]


def test_the_norm_of_a_share_lies_between_the_norms():
    norms, shares = [1.0, 10.0, 100.0, 1000.0], [0.0, 0.02, 0.08, 0.01]
    assert norm_of_share(norms, shares, 0.05) == pytest.approx(10**1.5)
    assert norm_of_share(norms, shares, 0.08) == pytest.approx(100)
    assert norm_of_share(norms, shares, 0.0) == 1 and math.isnan(norm_of_share(norms, shares, 0.5))


def test_contrast_is_what_a_constant_leaves_alone(digits):
    images = digits[:].double()
    whole, contrast = mean_norms(images, batch_size=30)
    assert whole == pytest.approx(float(images.flatten(1).norm(dim=1).mean()))
    shifted, same = mean_norms(images + 5)
    assert same == pytest.approx(contrast) and contrast < whole and contrast < shifted
    assert mean_norms(torch.ones(3, 2, 4, 4)) == pytest.approx((math.sqrt(32), 0.0))
