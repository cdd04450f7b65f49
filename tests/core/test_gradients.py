"""Affine fields are taken apart exactly, and sizes in the ensemble are what their closed forms say."""

import math

import numpy as np
import pytest
import torch

from diffeo_stability import (
    InputError,
    compression_matrix,
    decompose_gradient,
    displacement_field,
    pure_shear_matrix,
    rms_displacement,
    rotation_matrix,
    sample_coefficients,
)
from diffeo_stability.core.gradients import (
    PARTS,
    REMAINDER,
    displacement_gradient,
    energy_weights,
    fit_patches,
    part_shares,
    part_sizes,
    part_sizes_at_patches,
    patch_energies,
    patch_parts,
    size_without_translation,
    squared_norms,
)
from diffeo_stability.figures.field_decomposition.measurement import measure_parts

PURE = {
    "compression": compression_matrix(-2.0),
    "rotation": rotation_matrix(2.0),
    "pure_shear": pure_shear_matrix(2.0, 0.4),
}


@pytest.mark.parametrize("part", PURE)
def test_pure_parts_have_their_norm_and_are_recovered(part):
    assert float(PURE[part].norm()) == pytest.approx(2)
    for name, found in decompose_gradient(PURE[part])._asdict().items():
        torch.testing.assert_close(found, PURE[part] if name == part else torch.zeros(2, 2, dtype=torch.float64))


def test_parts_are_orthogonal_and_add_up(generator):
    gradients = torch.randn(5, 3, 2, 2, generator=generator, dtype=torch.float64)
    parts = decompose_gradient(gradients)
    torch.testing.assert_close(sum(parts), gradients)
    total = sum(part.square().sum((-2, -1)) for part in parts)
    torch.testing.assert_close(total, gradients.square().sum((-2, -1)))


def test_a_rotation_turns_x_towards_y():
    assert (rotation_matrix() @ torch.tensor([1.0, 0.0], dtype=torch.float64))[1] > 0


def test_other_shapes_are_named():
    with pytest.raises(InputError, match="must be"):
        decompose_gradient(torch.rand(3, 2))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def affine_field(gradient, translation, size=12):
    """The field ``translation + U s``, with s in pixels from the image's first pixel, ``(1, 2, n, n)``."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    places = torch.stack((x, y)).double()
    return (torch.einsum("ab,byx->ayx", gradient, places) + translation[:, None, None])[None]


def random_fields(count=20, cutoff=5, size=16, seed=0):
    coefficients = sample_coefficients(count, cutoff, 0.01, generator=seeded(seed), dtype=torch.float64)
    return coefficients, displacement_field(coefficients, size)


@pytest.mark.parametrize("patch_size", [3, 5, 11])
@pytest.mark.parametrize("part", [*PURE, "anything"])
def test_an_affine_field_is_recovered_on_every_patch(part, patch_size):
    gradient = PURE.get(part, torch.tensor([[0.3, -1.2], [0.7, 0.1]], dtype=torch.float64))
    translation = torch.tensor([0.5, -2.0], dtype=torch.float64)
    field = affine_field(gradient, translation)
    fit = fit_patches(field, patch_size)
    torch.testing.assert_close(fit.gradient, gradient[None, ..., None, None].expand_as(fit.gradient))
    # The translation is the displacement at the patch's centre
    half, places = patch_size // 2, fit.translation.shape[-1]
    torch.testing.assert_close(fit.translation, field[..., half : half + places, half : half + places])
    norms = squared_norms(fit)
    for name, pure in decompose_gradient(gradient)._asdict().items():
        expected = pure.square().sum().expand_as(norms[0])
        torch.testing.assert_close(norms[PARTS.index(name)], expected, atol=1e-12, rtol=1e-12)
    explained = torch.einsum("p,pbyx->byx", energy_weights(patch_size), norms)
    torch.testing.assert_close(explained, patch_energies(field, patch_size))


@pytest.mark.parametrize("patch_size", [3, 7, 15])
def test_the_fit_is_that_of_least_squares(patch_size):
    _, field = random_fields(count=3)
    fit = fit_patches(field, patch_size)
    offset = np.arange(patch_size) - patch_size // 2
    y, x = (part.ravel() for part in np.meshgrid(offset, offset, indexing="ij"))
    row, column = 0, fit.translation.shape[-1] - 1
    patch = field[2, :, row : row + patch_size, column : column + patch_size].reshape(2, -1).numpy()
    solution, *_ = np.linalg.lstsq(np.stack((np.ones_like(x), x, y), axis=1), patch.T, rcond=None)
    np.testing.assert_allclose(fit.translation[2, :, row, column], solution[0], rtol=1e-10)
    np.testing.assert_allclose(fit.gradient[2, :, :, row, column], solution[1:].T, rtol=1e-10)


def test_on_a_patch_the_parts_are_orthogonal_fields_and_the_remainder_to_all_of_them():
    _, field = random_fields()
    patch_size = 7
    fit = fit_patches(field, patch_size)
    parts = patch_parts(fit, patch_size)
    patches = field.unfold(2, patch_size, 1).unfold(3, patch_size, 1).permute(0, 2, 3, 1, 4, 5)
    everything = torch.cat((parts, (patches - parts.sum(0))[None])).flatten(-3)
    products = torch.einsum("i...k,j...k->ij...", everything, everything)
    energies = products.diagonal().movedim(-1, 0)
    off_diagonal = products - torch.diag_embed(energies.movedim(0, -1)).movedim((-2, -1), (0, 1))
    assert off_diagonal.abs().max() < 1e-12 * energies.max()
    total = patch_energies(field, patch_size)
    torch.testing.assert_close(energies.sum(0), total)
    torch.testing.assert_close(energies[:-1], energy_weights(patch_size).view(4, 1, 1, 1) * squared_norms(fit))


def test_the_gradient_at_a_pixel_is_the_derivative_of_the_field():
    """Against central differences of the same modes on a grid 100 times finer, every 100th pixel of which is the image's."""
    size, fine = 5, 401
    coefficients, _ = random_fields(count=2, cutoff=3)
    field = displacement_field(coefficients, fine) * (size / fine)  # in pixels of the image
    along_y, along_x = torch.gradient(field, spacing=(size - 1) / (fine - 1), dim=(2, 3), edge_order=2)
    expected = torch.stack((along_x, along_y), dim=2)[..., ::100, ::100]
    torch.testing.assert_close(displacement_gradient(coefficients, size), expected, atol=1e-3, rtol=0)
    assert expected.abs().max() > 0.1


def test_small_patches_on_a_fine_grid_have_the_gradient_at_their_centre():
    coefficients, field = random_fields(count=4, cutoff=2, size=200)
    gradient = displacement_gradient(coefficients, 200)
    errors = []
    for patch_size in (3, 9):
        half = patch_size // 2
        found = fit_patches(field, patch_size).gradient
        errors.append(float((found - gradient[..., half:-half, half:-half]).abs().max() / gradient.abs().max()))
    assert errors[0] < 3e-4 and errors[1] == pytest.approx(10 * errors[0], rel=0.1)  # (81 - 1) / (9 - 1)


@pytest.mark.parametrize(("cutoff", "image_size"), [(2, 16), (3, 28), (5, 11), (15, 24)])
def test_closed_forms_agree_with_ten_thousand_fields(cutoff, image_size):
    """Every size and share lies within four standard errors, on pixels and on patches."""
    coefficients = sample_coefficients(10_000, cutoff, 1.0, generator=seeded(cutoff), dtype=torch.float64)
    scores = []
    for patch_size, measured in measure_parts(coefficients, image_size, [1, 5, 9]).items():
        expected = part_sizes_at_patches(1.0, cutoff, image_size, patch_size)
        shares = part_shares(cutoff, image_size, patch_size)
        for place, part in enumerate(PARTS):
            squares, norms = measured.squares[place], measured.norms[place]
            # A ratio of means is the expected one where the numerator less its share of the denominator is 0
            excess = energy_weights(patch_size)[place] * squares - shares[part] * measured.energy
            differences = [squares - expected[part].norm ** 2, norms - expected[part].mean]
            differences += [excess] if patch_size > 1 else []
            if part == "translation" and patch_size > 1:
                without = size_without_translation(1.0, cutoff, image_size, patch_size)
                differences.append(measured.energy / patch_size**2 - squares - without**2)
            scores += [float(values.mean() / values.std()) * len(values) ** 0.5 for values in differences]
    assert max(map(abs, scores)) < 4
    assert np.std(scores) > 0.2  # an error that is far too large would hide everything


def test_the_unit_square_has_its_closed_form():
    """3 modes lie within cutoff 2: (1, 1), (1, 2) and (2, 1)."""
    sizes = part_sizes(0.01, 2, 28)
    assert sizes["translation"] == pytest.approx(28 * math.sqrt(0.01 / 2 * (1 / 2 + 2 / 5)))
    assert sizes["translation"] == pytest.approx(rms_displacement(0.01, 2, 28))
    for part, factor in (("rotation", 1), ("compression", 1), ("pure_shear", 2)):
        assert sizes[part] == pytest.approx(28 / 27 * math.sqrt(factor * math.pi**2 * 0.01 / 8 * 3))


@pytest.mark.parametrize("cutoff", [2, 3, 8])
def test_pixels_average_as_the_unit_square_but_for_the_border(cutoff):
    """The mean of sin^2 over pixels is (n - 1) / 2n, of cos^2 (n + 1) / 2n."""
    sizes, square = part_sizes_at_patches(0.01, cutoff, 28, 1), part_sizes(0.01, cutoff, 28)
    assert sizes["translation"].norm == pytest.approx(27 / 28 * square["translation"])
    for part in PARTS[1:]:
        assert sizes[part].norm == pytest.approx(math.sqrt(27 * 29) / 28 * square[part])


def test_finite_patches_tend_to_infinitely_small_ones():
    """On a grid three times as fine, a patch of 3 pixels is a third as large and its error a ninth."""
    errors = []
    for image_size in (31, 91, 271):
        finite, small = (part_sizes_at_patches(0.01, 3, image_size, 3, finite=finite) for finite in (True, False))
        errors.append([1 - finite[part].norm / small[part].norm for part in PARTS])
    np.testing.assert_allclose(np.divide(errors[0], errors[1]), 9, rtol=0.1)
    np.testing.assert_allclose(np.divide(errors[1], errors[2]), 9, rtol=0.03)
    assert np.all(np.array(errors[2]) > 0)


@pytest.mark.parametrize("patch_size", [1, 3, 9])
def test_what_is_no_translation_is_all_of_a_patch_but_its_mean(patch_size):
    sizes, share = part_sizes_at_patches(0.01, 5, 28, patch_size), part_shares(5, 28, patch_size)["translation"]
    without = size_without_translation(0.01, 5, 28, patch_size)
    assert without**2 == pytest.approx(sizes["translation"].norm ** 2 * (1 / share - 1), abs=1e-12)
    small = size_without_translation(0.01, 5, 28, patch_size, finite=False)
    gradient = math.sqrt(
        sum(part_sizes_at_patches(0.01, 5, 28, patch_size, finite=False)[part].norm ** 2 for part in PARTS[1:])
    )
    assert small == pytest.approx(math.sqrt((patch_size**2 - 1) / 12) * gradient)
    if patch_size == 1:
        assert small == 0 and without == pytest.approx(0, abs=1e-6)  # the root of a difference of equal numbers
    else:
        assert 0 < without < small


def test_what_is_no_translation_tends_to_the_formula_for_small_patches():
    errors = [
        1 - size_without_translation(0.01, 3, n, 3) / size_without_translation(0.01, 3, n, 3, finite=False)
        for n in (31, 91, 271)
    ]
    assert errors[0] / errors[1] == pytest.approx(9, rel=0.1) and errors[1] / errors[2] == pytest.approx(9, rel=0.03)
    assert errors[2] > 0


@pytest.mark.parametrize("patch_size", [1, 3, 9, 27])
def test_expected_shares_add_up_to_one(patch_size):
    shares = part_shares(5, 28, patch_size)
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) > -1e-12
    assert (shares[REMAINDER] < 1e-12) == (patch_size == 1)


@pytest.mark.parametrize("patch_size", [1, 4, 17])
def test_patches_that_cannot_be_fitted_are_refused_in_one_line(patch_size):
    _, field = random_fields(count=1)
    with pytest.raises(
        InputError, match=r"patch_size is \d+: it must be an odd number of pixels from 3 to 16"
    ) as error:
        fit_patches(field, patch_size)
    assert "\n" not in str(error.value)


def test_wrong_arguments_are_named():
    _, field = random_fields(count=1)
    with pytest.raises(InputError, match="field has shape"):
        fit_patches(field[0], 3)
    with pytest.raises(InputError, match="patch_size is 18"):
        patch_energies(field, 18)
    with pytest.raises(InputError, match="patch_size is 2"):
        part_shares(3, 16, 2)
    with pytest.raises(InputError, match="temperature is -1"):
        part_sizes_at_patches(-1.0, 3, 16, 5)
