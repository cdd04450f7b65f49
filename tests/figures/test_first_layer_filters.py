"""Gabor functions are recovered from planted ones, and the comparison with untrained filters finds planted differences."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from claiming import decided, reaches_every_verdict, said

from diffeo_stability import InputError, build_network
from diffeo_stability.core.gabor import Gabor, fit_gabor, gabor, r_squared
from diffeo_stability.figures.first_layer_filters.collection import compare_with_nulls
from diffeo_stability.figures.first_layer_filters.measurement import (
    leading_component,
    measure_first_layer_filters,
    mix,
    power_spectra,
)
from diffeo_stability.figures.registry import Given
from diffeo_stability.networks.checkpoints import save_checkpoint

TYPICAL = Gabor(
    amplitude=0.7,
    frequency=0.22,
    orientation=0.6,
    phase=0.4,
    centre_x=0.5,
    centre_y=-0.8,
    sigma_along=1.8,
    sigma_across=2.3,
)
PLANTED = {
    "typical": TYPICAL,
    "wave along x": replace(TYPICAL, orientation=0.01),
    "orientation just below pi": replace(TYPICAL, orientation=3.12, phase=-2.0),
    "wave along y": replace(TYPICAL, orientation=math.pi / 2, phase=2.9),
    "fine and narrow": replace(TYPICAL, frequency=0.4, sigma_along=1.2, sigma_across=1.0),
    "coarse": replace(TYPICAL, frequency=0.12, orientation=2.2, sigma_along=2.4, sigma_across=1.5, phase=1.5),
    "weak": replace(TYPICAL, amplitude=1e-6, centre_x=-1.5, centre_y=1.0),
}


def turned(left: float, right: float, period: float) -> float:
    """Smallest difference of two angles."""
    return abs((left - right + period / 2) % period - period / 2)


def assert_same(fit: Gabor, expected: Gabor):
    """Equal but for the side from which a wave is looked at, where its orientation is close to 0 or pi."""
    assert turned(fit.orientation, expected.orientation, math.pi) < 1e-3
    backwards = abs(fit.orientation - expected.orientation) > 1
    assert turned(fit.phase, -expected.phase if backwards else expected.phase, 2 * math.pi) < 2e-3
    assert fit.amplitude == pytest.approx(expected.amplitude, rel=1e-3)
    for name in ("frequency", "centre_x", "centre_y", "sigma_along", "sigma_across"):
        assert getattr(fit, name) == pytest.approx(getattr(expected, name), abs=2e-3), name


def fitted_r2(filters) -> np.ndarray:
    """R^2 of the fit to each filter."""
    filters = np.asarray(filters)
    fits = fit_gabor(filters)
    return np.array([r_squared(one, gabor(fit, len(one))) for one, fit in zip(filters, fits, strict=True)])


@pytest.mark.parametrize(
    ("planted", "size"), [*((planted, 9) for planted in PLANTED.values()), (TYPICAL, 11)], ids=[*PLANTED, "larger"]
)
def test_a_gabor_function_is_recovered(planted, size):
    picture = gabor(planted, size)
    (fit,) = fit_gabor(picture[None])
    assert_same(fit, planted)
    assert r_squared(picture, gabor(fit, size)) == pytest.approx(1, abs=1e-6)


def test_formula_stands_on_rows_and_columns():
    picture = gabor(replace(TYPICAL, orientation=0.0, phase=0.0, centre_x=1.0, centre_y=-2.0), 9)
    assert np.unravel_index(picture.argmax(), (9, 9)) == (2, 5) and picture.max() == pytest.approx(0.7)
    expected = 0.7 * math.exp(-1 / (2 * 1.8**2) - 4 / (2 * 2.3**2)) * math.cos(2 * math.pi * 0.22)
    assert picture[4, 6] == pytest.approx(expected)


def test_mild_noise_does_not_hide_it():
    noise = np.random.default_rng(0).normal(size=(9, 9))
    picture = gabor(TYPICAL, 9)
    noisy = picture + 0.1 * picture.std() * noise
    (fit,) = fit_gabor(noisy[None])
    assert r_squared(noisy, gabor(fit, 9)) > 0.98
    assert fit.frequency == pytest.approx(0.22, abs=0.01) and fit.orientation == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("factor", [-1.0, 250.0, -3e-5])
def test_scale_and_sign_of_a_filter_change_amplitude_and_phase_alone(factor):
    noisy = gabor(TYPICAL, 9) + 0.05 * np.random.default_rng(1).normal(size=(9, 9))
    before, after = fit_gabor(np.stack((noisy, factor * noisy)))
    assert r_squared(factor * noisy, gabor(after, 9)) == pytest.approx(r_squared(noisy, gabor(before, 9)), abs=1e-6)
    phase = before.phase + (math.pi if factor < 0 else 0)
    phase = math.remainder(phase, 2 * math.pi)
    assert_same(after, replace(before, amplitude=abs(factor) * before.amplitude, phase=phase))


def test_white_noise_is_fitted_clearly_worse():
    noise = np.random.default_rng(2).normal(size=(10, 9, 9))
    noisy = gabor(TYPICAL, 9) * (1 + 0.1 * noise[:4])
    assert fitted_r2(noise).max() < 0.6 < 0.9 < fitted_r2(noisy).min()


def test_rotating_a_filter_rotates_its_fit_and_nothing_else():
    noisy = torch.from_numpy(gabor(TYPICAL, 9) + 0.05 * np.random.default_rng(3).normal(size=(9, 9)))
    before, after = fit_gabor(torch.stack((noisy, torch.rot90(noisy))))
    # A quarter turn against the clock takes (x, y), y downwards, to (y, -x): a wave at an angle a to one at a - pi / 2,
    # which is the one at a + pi / 2 seen from its other side
    expected = replace(
        before,
        orientation=before.orientation + math.pi / 2,
        phase=-before.phase,
        centre_x=before.centre_y,
        centre_y=-before.centre_x,
    )
    assert_same(after, expected)


def test_the_finest_stripes_have_a_fit_with_an_amplitude_of_their_size():
    stripes = np.tile((-1.0) ** np.arange(9), (9, 1))
    (fit,) = fit_gabor(stripes[None])
    assert r_squared(stripes, gabor(fit, 9)) > 0.9 and fit.amplitude < 3
    assert fit.frequency == pytest.approx(0.48) and turned(fit.orientation, 0, math.pi) < 0.2


def test_bandwidth_is_at_half_the_amplitude_of_the_spectrum():
    frequencies = np.linspace(0, 0.5, 50001)
    spectrum = np.exp(-2 * np.square(math.pi * TYPICAL.sigma_along * (frequencies - TYPICAL.frequency)))
    inside = frequencies[spectrum >= 0.5]
    assert TYPICAL.bandwidth == pytest.approx(math.log2(inside[-1] / inside[0]), abs=1e-3)
    assert math.isinf(replace(TYPICAL, frequency=0.05).bandwidth)


def test_a_constant_filter_has_no_fit():
    (fit,) = fit_gabor(np.full((1, 9, 9), 0.3))
    assert math.isnan(fit.frequency) and math.isnan(fit.bandwidth)
    assert math.isnan(r_squared(np.full((9, 9), 0.3), gabor(fit, 9)))


def test_leading_component_of_a_product_of_colour_and_space_is_its_space(generator):
    colour, space = torch.tensor([0.2, -0.9, 0.4]), torch.randn(6, 9, 9, generator=generator)
    filters, share = leading_component(colour[:, None, None] * space[:, None])
    torch.testing.assert_close(filters.float(), -space * colour.norm())  # the channels sum up to -0.3 times the space
    torch.testing.assert_close(share, torch.ones(6).double())
    filters, share = leading_component(space[:, None])
    torch.testing.assert_close(filters.float(), space)
    torch.testing.assert_close(share, torch.ones(6).double())


def test_leading_component_holds_its_share_of_energy():
    weight = torch.zeros(1, 2, 9, 9)
    weight[0, 0, 2, 2], weight[0, 1, 5, 5] = 2.0, 1.0
    filters, share = leading_component(weight)
    assert share.item() == pytest.approx(0.8) and filters[0, 2, 2].item() == pytest.approx(2)
    assert filters[0, 5, 5].item() == pytest.approx(0)


def test_power_spectrum_of_a_wave_has_two_peaks_at_its_frequency():
    x = torch.arange(9).expand(9, 9)
    spectrum = power_spectra((5 + torch.cos(2 * math.pi * 2 * x / 9))[None])[0]
    assert torch.nonzero(spectrum > 1).tolist() == [[4, 2], [4, 6]]


@pytest.fixture
def training(tmp_path):
    """A network before and after a training that put a Gabor function on top of every first filter."""
    arguments = {"name": "vgg11", "in_channels": 3, "image_size": 28, "classes": 10, "width": 0.05, "filter_size": 9}
    torch.manual_seed(0)
    network = build_network(**arguments)
    metadata = {"net": "vgg11_9x9", "seed": 4, "network": arguments, "split": {"train_size": 400}}
    save_checkpoint(network, tmp_path / "epoch0000.safetensors", {**metadata, "epoch": 0})
    with torch.no_grad():
        network.conv1.weight += torch.from_numpy(gabor(TYPICAL, 9)).float()
    save_checkpoint(network, tmp_path / "epoch0007.safetensors", {**metadata, "epoch": 7})
    return tmp_path, network


def test_rows_and_pictures_of_a_training(training):
    folder, network = training
    rows, _, pictures = measure_first_layer_filters(Given(checkpoints=folder))
    table = pd.DataFrame(rows)
    states = ("init", "trained", "mixture")
    assert len(table) == 9 and tuple(table.state.unique()) == states and set(table.train_size) == {400}
    assert set(table.architecture) == {"vgg11"} and set(table.seed) == {4} and set(table.filter_size) == {9}
    assert {"channel", "frequency", "orientation", "bandwidth"} <= set(table.columns)
    assert pictures.keys() == {f"{state}/{kind}" for state in states for kind in ("filters", "fits", "spectra")}
    assert all(picture.shape == (3, 9, 9) and picture.dtype == torch.float32 for picture in pictures.values())
    medians = table.groupby("state").gabor_r2.median()
    assert medians.init < 0.5 < 0.9 < medians.trained
    trained = table[table.state == "trained"]
    np.testing.assert_allclose(trained.frequency, TYPICAL.frequency, atol=0.02)
    filters, _ = leading_component(network.conv1.weight)
    torch.testing.assert_close(pictures["trained/filters"], filters.float())


def test_mixtures_have_the_covariance_of_the_filters_whatever_their_scale(generator):
    filters = torch.randn(400, 9, 9, generator=generator, dtype=torch.float64)
    filters[:, :4] = 0
    filters[:200] *= 100
    mixtures = mix(filters, generator)
    assert mixtures.shape == filters.shape and (mixtures[:, :4] == 0).all()
    assert float(mixtures.square().sum((1, 2)).mean()) == pytest.approx(1, rel=0.1)
    assert float(mixtures[:, 4:].var(0).std() / mixtures[:, 4:].var(0).mean()) < 0.2


def smooth_fields(generator):
    """10 Gaussian fields, crops of larger ones, as smooth as trained filters and of no shape."""
    noise = torch.randn(10, 1, 21, 21, generator=generator, dtype=torch.float64)
    place = torch.arange(-6, 7, dtype=torch.float64)
    blur = torch.exp(-(place**2) / 4)
    return torch.nn.functional.conv2d(noise, (blur[:, None] * blur)[None, None])[:, 0]


def p_against_mixtures(filters, generator):
    r2 = [fitted_r2(part) for part in (filters, mix(filters, generator))]
    table = fits(r2[0], [0.1, 0.2], r2[1])
    return compare_with_nulls(table).p_value_mixture.item()


@pytest.mark.slow
def test_smooth_filters_of_no_shape_are_not_taken_for_gabor_functions(generator):
    """Their p-values are spread over 0 to 1: of four, the middle ones lie in the middle and none is small."""
    p = sorted(p_against_mixtures(smooth_fields(generator), generator) for _ in range(4))
    assert p[0] > 0.005 and 0.1 < (p[1] + p[2]) / 2 < 0.9


@pytest.mark.slow
def test_gabor_functions_of_many_shapes_are_told_from_their_mixtures(generator):
    rng = np.random.default_rng(0)
    filters = np.stack(
        [
            gabor(
                Gabor(1, rng.uniform(0.12, 0.3), rng.uniform(0, 3), rng.uniform(-3, 3), *rng.uniform(-1, 1, 2), 1.6, 2),
                9,
            )
            for _ in range(24)
        ]
    )
    assert p_against_mixtures(torch.from_numpy(filters), generator) < 1e-6


def fits(trained, init, mixture=(), train_size=400) -> pd.DataFrame:
    """A table of what :func:`compare_with_nulls` reads."""
    return pd.DataFrame(
        [
            {"net": "a", "seed": 0, "train_size": train_size, "state": state, "gabor_r2": value, "bandwidth": 1.0}
            for state, values in (("trained", trained), ("init", init), ("mixture", mixture))
            for value in values
        ]
    )


def test_a_planted_difference_is_found_and_none_where_there_is_none():
    rng = np.random.default_rng(0)
    better, null, same = rng.normal(0.7, 0.05, 40), rng.normal(0.3, 0.05, 40), rng.normal(0.3, 0.05, 40)
    table = pd.concat([fits(better, null, same), fits(same, null, better, train_size=3600)])
    found, none = (row for _, row in compare_with_nulls(table).iterrows())
    assert found.p_value < 1e-9 and found.filters == 40 and none.p_value > 0.05
    assert found.p_value_mixture < 1e-9 and none.p_value_mixture > 0.99


def test_fits_without_a_wave_are_counted():
    table = fits([0.5, 0.6, 0.7, 0.8], [0.2, 0.3])
    table.loc[:2, "bandwidth"] = math.inf
    result = compare_with_nulls(table)
    assert result.wave_trained.item() == 0.25


def test_filters_without_variance_are_left_out_and_missing_ones_named():
    result = compare_with_nulls(fits([0.5, math.nan, 0.6], [0.2, 0.3]))
    assert result.filters.item() == 2 and math.isnan(result.p_value_mixture.item())
    with pytest.raises(InputError, match="a, 0, 400: 2 trained and 0 untrained"):
        compare_with_nulls(fits([0.5, 0.6], [math.nan]))


def net(name, init, trained, mixture, half=0.01, **columns):
    """Filters of three states, fitted about as well as given, at most training images; and all alike at fewer."""
    shared = {"net": name, "seed": 0, "imported": False, "filter_size": 9, "bandwidth": 1.0, "spatial_share": 1.0}
    levels = {"init": init, "trained": trained, "mixture": mixture}
    rows = [
        {**shared, "train_size": 100, "state": state, "gabor_r2": value}
        for state, level in levels.items()
        if level is not None
        for value in level + half * np.linspace(-1, 1, 20)
    ]
    return [row | columns for row in [*rows, *({**row, "train_size": 10, "gabor_r2": 0.0} for row in rows)]]


def tables_of(*nets):
    rows = [row for rows in nets for row in rows]
    summary = compare_with_nulls(pd.DataFrame(rows))
    return {"first_layer_filters": rows, "first_layer_filters_summary": summary}


CASES = {
    "9a": (lambda x, half: tables_of(net("a", 0.4, 0.4 + x, 0.9, half)), 0.3, -0.3, 0.0),
    "9b": (lambda x, half: tables_of(net("a", 0.9, 0.4 + x, 0.4, half)), 0.3, -0.3, 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_reaches_every_verdict(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_small_filters_do_not_count_and_seeds_are_averaged(tmp_path):
    small = net("small", 0.9, 0.1, 0.9, filter_size=7)
    row = decided("9a", tmp_path, tables_of(small))
    assert math.isnan(row.measured) and "at least 9 pixels" in row.reason
    seeds = [net("a", 0.2, level, 0.3, seed=seed) for seed, level in enumerate((0.3, 0.5))]
    row = decided("9a", tmp_path, tables_of(small, *seeds))
    # Two seeds that differ by 0.2: of two numbers the t interval is wide, however many filters each has
    assert row.measured == pytest.approx(0.2) and row.reason.endswith("a alone") and row.low < 0


def test_the_caption_says_how_well_gabor_functions_fit(tmp_path):
    text = said("first_layer_filters", tmp_path, tables_of(net("a", 0.2, 0.5, 0.4)))
    assert "filters, of 9 pixels, Gabor functions explain 50% in a" in text and "100% in a are fitted by waves." in text
    assert "colour" not in text
    colours = net("a", 0.2, 0.5, 0.4, spatial_share=0.8)
    blobs = [row | {"bandwidth": math.nan} if row["gabor_r2"] > 0.5 else row for row in colours]
    text = said("first_layer_filters", tmp_path, tables_of(blobs))
    assert (
        "fitted by waves, the others by blobs. The leading colour x space component makes up, in the median, " in text
    )
    assert "80% in a untrained and 80% in a trained of a filter" in text
    assert "untrained ones by 0.30 (0.30 to 0.30) in a, Mann-Whitney p < 0.001" in text
    several = [net("a", 0.2, 0.5, 0.4, seed=seed) for seed in range(3)]
    assert "means over 3 seeds" in said("first_layer_filters", tmp_path, tables_of(*several))
    many = tables_of(*(net(f"net{place}", 0.2, 0.3 + 0.1 * place, 0.1) for place in range(6)))
    assert "0.10 (net0) to 0.60 (net5) in 6 nets" in said("first_layer_filters", tmp_path, many)
