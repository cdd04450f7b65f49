"""The ensemble and its action on images, against known values."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffeo_stability import (
    InputError,
    deform,
    displacement_field,
    displacement_from_temperature,
    remap,
    rms_displacement,
    sample_coefficients,
    temperature_from_displacement,
    temperature_range,
)
from diffeo_stability.core.deformation import FIELD_ELEMENTS_PER_CHUNK, deform_with

INTERPOLATIONS = ("bilinear", "nearest", "gaussian")


def bilinear_by_hand(image, field):
    """One image ``(C, n, n)``, pixel by pixel from the definition."""
    _, n, _ = image.shape
    result = torch.empty_like(image)
    for row in range(n):
        for column in range(n):
            x = min(max(column - float(field[0, row, column]), 0), n - 1)
            y = min(max(row - float(field[1, row, column]), 0), n - 1)
            left, top = min(int(x), n - 2), min(int(y), n - 2)
            a, b = x - left, y - top
            block = image[:, top : top + 2, left : left + 2]
            result[:, row, column] = (1 - b) * ((1 - a) * block[:, 0, 0] + a * block[:, 0, 1]) + b * (
                (1 - a) * block[:, 1, 0] + a * block[:, 1, 1]
            )
    return result


@pytest.mark.parametrize("interpolation", INTERPOLATIONS[:2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_field_is_the_identity(interpolation, dtype, generator):
    images = torch.rand(3, 2, 17, 17, generator=generator, dtype=dtype)
    torch.testing.assert_close(remap(images, torch.zeros(3, 2, 17, 17), interpolation), images)


def test_gaussian_interpolation_keeps_a_constant_image_and_smooths_by_its_width():
    constant = torch.full((1, 1, 9, 9), 3.0, dtype=torch.float64)
    field = torch.full((1, 2, 9, 9), 0.3, dtype=torch.float64)
    torch.testing.assert_close(remap(constant, field, "gaussian"), constant)
    point = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    point[0, 0, 4, 4] = 1
    smooth = remap(point, torch.zeros(1, 2, 9, 9), "gaussian")[0, 0]
    weight = math.exp(-1 / (2 * 0.4715**2))
    torch.testing.assert_close(smooth[4, 5] / smooth[4, 4], torch.tensor(weight, dtype=torch.float64))
    torch.testing.assert_close(smooth[5, 5] / smooth[4, 4], torch.tensor(weight**2, dtype=torch.float64))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS[:2])
def test_integer_shift_is_a_roll_inside_the_image(interpolation, generator):
    images = torch.rand(2, 3, 16, 16, generator=generator)
    field = torch.empty(2, 2, 16, 16)
    field[:, 0], field[:, 1] = 2, -3
    rolled = images.roll((-3, 2), dims=(2, 3))
    torch.testing.assert_close(remap(images, field, interpolation)[:, :, :13, 2:], rolled[:, :, :13, 2:])


def test_bilinear_equals_the_definition_pixel_by_pixel(generator):
    images = torch.rand(2, 3, 12, 12, generator=generator, dtype=torch.float64)
    field = 3 * torch.randn(2, 2, 12, 12, generator=generator, dtype=torch.float64)
    by_hand = torch.stack([bilinear_by_hand(image, f) for image, f in zip(images, field, strict=True)])
    torch.testing.assert_close(remap(images, field), by_hand)


def test_outside_the_image_the_border_continues():
    images = torch.arange(25.0).reshape(1, 1, 5, 5)
    field = torch.zeros(1, 2, 5, 5)
    field[:, 0] = 100
    torch.testing.assert_close(remap(images, field), images[..., :1].expand_as(images))


def test_field_equals_the_mode_sum_and_vanishes_on_the_border(generator):
    n, cutoff = 9, 3
    coefficients = sample_coefficients(2, cutoff, 0.1, generator=generator, dtype=torch.float64)
    field = displacement_field(coefficients, n)
    k = torch.arange(n, dtype=torch.float64) / (n - 1)
    expected = torch.zeros(2, 2, n, n, dtype=torch.float64)
    for i in range(1, cutoff + 1):
        for j in range(1, cutoff + 1):
            mode = torch.sin(math.pi * j * k)[:, None] * torch.sin(math.pi * i * k)
            expected += n * coefficients[:, :, i - 1, j - 1, None, None] * mode
    torch.testing.assert_close(field, expected)
    for border in (field[..., 0], field[..., -1], field[..., 0, :], field[..., -1, :]):
        assert border.abs().max() < 1e-12


def test_coefficients_have_the_variance_of_the_ensemble(generator):
    draws, cutoff, temperature = 40_000, 4, 0.3
    coefficients = sample_coefficients(draws, cutoff, temperature, generator=generator, dtype=torch.float64)
    k = torch.arange(1, cutoff + 1, dtype=torch.float64)
    squared = k[:, None] ** 2 + k**2
    expected = torch.where(squared <= (cutoff + 0.5) ** 2, temperature / squared, torch.zeros_like(squared))
    flat = coefficients.flatten(1)
    covariance = flat.T @ flat / draws
    scale = expected.repeat(2, 1, 1).flatten().sqrt()
    # Each entry's standard error is at most sqrt(2 / draws) of its scale; 5.5 of them for 32 x 32 entries
    error = (covariance - torch.diag(scale**2)).abs()
    assert (error <= 5.5 * math.sqrt(2 / draws) * scale[:, None] * scale + 1e-15).all()


@pytest.mark.parametrize("cutoff", [2, 3, 5, 10])
def test_measured_displacement_equals_the_exact_formula(cutoff, generator):
    n, fields, temperature = 32, 4000, 1e-3
    squared = displacement_field(sample_coefficients(fields, cutoff, temperature, generator=generator), n)
    squared = squared.double().square().sum(1).mean((1, 2))
    # Over the pixels of an image, the mean of sin^2 is (n - 1) / 2 n, for each of the two axes
    exact = (rms_displacement(temperature, cutoff, n) * (n - 1) / n) ** 2
    assert abs(squared.mean() - exact) < 5 * squared.std() / math.sqrt(fields)


@pytest.mark.parametrize("cutoff", [3, 5, 10, 20])
def test_asymptotic_displacement_is_near_the_exact_one(cutoff):
    """The sum over modes tends to (pi / 2) ln c; the papers' form leaves out a constant."""
    ratio = rms_displacement(1e-3, cutoff, 32) / displacement_from_temperature(1e-3, cutoff, 32)
    assert 0.75 < ratio < 1.0
    assert rms_displacement(1e-3, 400, 32) / displacement_from_temperature(1e-3, 400, 32) > ratio


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(1e-3, 100), st.integers(2, 200), st.integers(2, 2000))
def test_displacement_and_temperature_are_inverse(displacement, cutoff, size):
    temperature = temperature_from_displacement(displacement, cutoff, size)
    assert displacement_from_temperature(temperature, cutoff, size) == pytest.approx(displacement)


def test_temperature_range_spans_half_a_pixel_to_the_first_overhang():
    lowest, highest = temperature_range(32, 3)
    assert displacement_from_temperature(lowest, 3, 32) == pytest.approx(0.5)
    assert highest == pytest.approx(4 / (math.pi**3 * 9 * math.log(3)))
    assert temperature_range(32, 20)[0] < temperature_range(32, 20)[1]


def test_empty_temperature_range_is_an_error_that_names_the_largest_cutoff():
    with pytest.raises(InputError, match=r"2 n / pi = 20\.4"):
        temperature_range(32, 21)


@pytest.mark.parametrize("call", [temperature_from_displacement, displacement_from_temperature])
def test_cutoff_1_is_an_error(call):
    with pytest.raises(InputError, match="cutoff is 1.*at least 2"):
        call(1.0, 1, 32)
    with pytest.raises(InputError, match="cutoff is 1"):
        deform(torch.rand(1, 1, 8, 8), cutoff=1)


def test_cutoff_1_with_a_temperature_has_one_mode(generator):
    images = torch.rand(4, 1, 8, 8)
    assert deform(images, temperature=0.01, cutoff=1, generator=generator).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_deform_keeps_dtype_and_shape(dtype, interpolation, generator):
    images = torch.rand(3, 2, 10, 10).to(dtype)
    deformed = deform(images, interpolation=interpolation, generator=generator)
    assert deformed.dtype == dtype and deformed.shape == images.shape and deformed.isfinite().all()


def test_same_seed_gives_the_same_deformation():
    images = torch.rand(4, 1, 16, 16)
    first, second = (deform(images, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)


def test_large_batches_in_pieces_equal_one_batch(generator):
    size = 64
    count = 2 * FIELD_ELEMENTS_PER_CHUNK // (2 * size * size) + 3
    images = torch.rand(count, 1, size, size, generator=generator, dtype=torch.float64)
    coefficients = sample_coefficients(count, 3, 1e-3, generator=generator, dtype=torch.float64)
    whole = remap(images, displacement_field(coefficients, size))
    torch.testing.assert_close(deform_with(images, coefficients), whole)


def test_remap_has_correct_gradients(generator):
    images = torch.rand(1, 1, 6, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    field = torch.randn(1, 2, 6, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(remap, (images, field))


def test_gradients_work_after_a_first_call_without_them(generator):
    """What is kept between calls must not remember that the first caller wanted no gradients."""
    size = 11  # of no other test
    with torch.inference_mode():
        deform(torch.rand(1, 1, size, size), cutoff=4)
    coefficients = sample_coefficients(1, 4, 0.01, generator=generator).requires_grad_()
    remap(torch.rand(1, 1, size, size), displacement_field(coefficients, size)).square().sum().backward()
    assert coefficients.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(2, 3, 8, 9), "square: crop or resize"),
        (torch.rand(3, 8, 8), r"square: of one image, give images\[None\]"),
        (torch.rand(5, 8, 8), r"square: of images without channels, give images\[:, None\]"),
        (torch.rand(5, 8, 8, 3), r"square: give images.permute\(0, 3, 1, 2\)"),
        (torch.rand(8, 8), r"\(8, 8\): it must be \(batch, channels, n, n\), square$"),
        ([torch.rand(3, 8, 8)], "type list: .*torch.stack"),
        (torch.zeros(0, 3, 8, 8), "empty"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "floating point"),
        (torch.rand(1, 1, 1, 1), "image_size is 1"),
    ],
)
def test_bad_images_are_named(images, message):
    with pytest.raises(InputError, match=message):
        deform(images)


def test_bad_settings_are_named():
    images = torch.rand(1, 1, 8, 8)
    with pytest.raises(InputError, match="cubic.*bilinear, nearest, gaussian"):
        remap(images, torch.zeros(1, 2, 8, 8), "cubic")
    with pytest.raises(InputError, match=r"field has shape \(1, 2, 7, 7\)"):
        remap(images, torch.zeros(1, 2, 7, 7))
    with pytest.raises(InputError, match="both given"):
        deform(images, displacement=1.0, temperature=0.1)
    with pytest.raises(InputError, match="batch_size is 0"):
        sample_coefficients(0, 3, 1.0)
    with pytest.raises(InputError, match="temperature is -1"):
        sample_coefficients(1, 3, -1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: temperature_from_displacement(1e200, 3, 28), r"displacement is 1e\+200: it must be at most 1e\+100"),
        (lambda: temperature_from_displacement("1", 3, 28), "displacement is '1': it must be a finite number"),
        (lambda: temperature_from_displacement(1.0, 10**400, 28), "cutoff is a number of more than a hundred digits"),
        (lambda: rms_displacement(1.0, 10**7, 28), "cutoff is 10000000: it must be at most 2048"),
        (
            lambda: displacement_from_temperature(1.0, 3, 10**200),
            "image_size is a number of more than a hundred digits",
        ),
        (lambda: sample_coefficients(10**15, 3, 1.0), "1000000000000000 fields of cutoff 3 would take .* memory"),
        (
            lambda: sample_coefficients(1, 3, 1e90),
            r"coefficients of temperature 1e\+90 would hold NaN or infinite numbers",
        ),
        (lambda: displacement_field(torch.full((1, 2, 3, 3), math.nan), 8), "the field would hold NaN"),
        (lambda: remap(torch.zeros(1, 1, 8, 8), torch.full((1, 2, 8, 8), math.inf)), "the field would hold NaN"),
        (lambda: deform(torch.full((1, 1, 8, 8), math.nan)), "the deformed images would hold NaN"),
    ],
)
def test_numbers_beyond_what_can_be_reckoned_with_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
