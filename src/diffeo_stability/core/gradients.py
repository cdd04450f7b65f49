r"""A displacement field as local translation, rotation, compression and pure shear, and the size of each part.

Near a place the field is :math:`\tau(s + \epsilon) \approx \tau(s) + U \epsilon`, with :math:`U_{ab} = \partial \tau_a /
\partial s_b` the displacement in pixels per pixel. :math:`U` has three orthogonal parts: compression or expansion (its trace),
rotation (antisymmetric) and pure shear (symmetric and traceless). Their sizes are Frobenius norms, that of the translation
:math:`|\tau|` in pixels.

**Sizes in the ensemble.** In pixels the field is :math:`n \tau`, of the mode sum in :mod:`diffeo_stability.core.deformation`,
at the place :math:`s = (n - 1)(u, v)`. So :math:`U_{ab} = \frac{n}{n - 1} \partial_b \tau_a`, and with the phase from pixel to
pixel :math:`\theta_i = i \pi / (n - 1)` the variances of each component, and of its derivatives along x and along y, are

.. math::

    W &= n^2 T \sum_{ij} \frac{\sin^2(i \pi u) \sin^2(j \pi v)}{i^2 + j^2}, \\
    V_x &= n^2 T \sum_{ij} \theta_i^2 \frac{\cos^2(i \pi u) \sin^2(j \pi v)}{i^2 + j^2}, \qquad
    V_y = n^2 T \sum_{ij} \theta_j^2 \frac{\sin^2(i \pi u) \cos^2(j \pi v)}{i^2 + j^2}.

The two components are independent and alike. Hence :math:`U_{xx} + U_{yy}`, :math:`U_{xy} - U_{yx}`, :math:`U_{xx} - U_{yy}`
and :math:`U_{xy} + U_{yx}` all have the variance :math:`S = V_x + V_y`. The first two are :math:`\sqrt 2` times the size of
compression and of rotation, up to a sign, the last two :math:`\sqrt 2` times the components of pure shear, which do not
correlate: :math:`\mathrm{cov}(U_{xx}, U_{xy}) = \mathrm{cov}(U_{yx}, U_{yy})`. All are Gaussian, so that at one place

=============  =============  ====================  =============================
part           mean square    distribution          mean of the norm
=============  =============  ====================  =============================
translation    :math:`2 W`    Rayleigh              :math:`\sqrt{\pi W / 2}`
rotation       :math:`S / 2`  half-normal           :math:`\sqrt{S / \pi}`
compression    :math:`S / 2`  half-normal           :math:`\sqrt{S / \pi}`
pure shear     :math:`S`      Rayleigh              :math:`\sqrt{\pi S} / 2`
=============  =============  ====================  =============================

Averaged over the unit square every squared sine and cosine is 1/2; with :math:`\sum i^2 / (i^2 + j^2) = N / 2` by symmetry, N the
number of modes within the cutoff, the mean squares are :math:`\frac{n^2 T}{2} \sum 1 / (i^2 + j^2)` for the translation, and
:math:`g = \left(\frac{n}{n - 1}\right)^2 \frac{\pi^2 T}{8} N` for rotation and for compression and :math:`2 g` for pure shear.

**Finite patches.** On a patch of k x k pixels the translation is the mean of the field, and :math:`U` its least-squares linear
fit. What they leave is the remainder. Both are linear in the field and separable: a mode keeps its shape about the centre of the
patch, its sine is multiplied by :math:`b_i = \langle \cos m \theta_i \rangle_m`, and in place of :math:`\theta_i` its derivative
has :math:`r_i = \sum_m m \sin m \theta_i / \sum_m m^2`, over the pixels m from the centre. With these factors all of the above
holds for finite patches too. They leave their limits 1 and :math:`\theta_i` where :math:`k \theta_i / 2` comes near 1: for the
fastest modes at k of about n / c. On a patch the energies :math:`\sum |\tau|^2` of the parts add up: :math:`k^2 |t|^2` for the
translation t and :math:`k^2 (k^2 - 1) / 12` times the squared norm for each part of U. What is no translation has, in the limit
of small patches, the mean square :math:`(k^2 - 1) / 12 \cdot 2 S` per pixel.

Source: the November 2021 deck, "Locally, we can decompose our displacement field", which has the sizes as means of squares, as
means of norms and on finite patches.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .checks import check_finite, check_tensor, finite
from .deformation import _mode_variances, check_ensemble, rms_displacement
from .errors import InputError

PARTS = ("translation", "rotation", "compression", "pure_shear")
REMAINDER = "remainder"


class GradientParts(NamedTuple):
    """The parts of a displacement gradient, each ``(..., 2, 2)``; they are orthogonal and add up to it."""

    compression: Tensor
    rotation: Tensor
    pure_shear: Tensor


class PatchFit(NamedTuple):
    """The affine field that is nearest to a displacement field on each of its patches.

    Attributes:
        translation: ``(B, 2, p, p)`` in pixels, x then y; the last two axes are the patch's place along y and along x.
        gradient: ``(B, 2, 2, p, p)``, pixels per pixel: ``[:, a, b]`` is the derivative of component a along b, x then y.
    """

    translation: Tensor
    gradient: Tensor


class PartSize(NamedTuple):
    """The size of one part: pixels for the translation, else the dimensionless Frobenius norm.

    Attributes:
        norm: root mean square.
        mean: mean of the norm without the square.
    """

    norm: float
    mean: float


def decompose_gradient(gradient: Tensor) -> GradientParts:
    """Split displacement gradients into trace, antisymmetric and symmetric traceless part.

    Args:
        gradient: ``(..., 2, 2)``, floating point.

    Returns:
        The three parts, each ``(..., 2, 2)``, which add up to the gradient.

    Raises:
        InputError: another shape, not floating point, or NaN or infinite numbers in it.
    """
    check_tensor("gradient", gradient)
    if gradient.shape[-2:] != (2, 2):
        raise InputError(f"gradient has shape {tuple(gradient.shape)}: it must be (..., 2, 2)")
    trace = gradient.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    compression = trace / 2 * torch.eye(2, dtype=gradient.dtype, device=gradient.device)
    parts = compression, (gradient - gradient.mT) / 2, (gradient + gradient.mT) / 2 - compression
    return GradientParts(*(finite(part, "a part of the gradient") for part in parts))


def rotation_matrix(norm: float = 1.0) -> Tensor:
    """Return the gradient of a rotation, ``(2, 2)`` float64, with the given Frobenius norm; it turns x towards y.

    Returns:
        ``(2, 2)`` float64, antisymmetric; gradients of displacements in pixels per pixel.

    Raises:
        InputError: a ``norm`` that is not finite.
    """
    check_finite("norm", norm)
    return norm / math.sqrt(2) * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)


def compression_matrix(norm: float = 1.0) -> Tensor:
    """Return the gradient of an expansion, or for a negative ``norm`` of a compression, with that Frobenius norm.

    Returns:
        ``(2, 2)`` float64, a multiple of the identity; gradients of displacements in pixels per pixel.

    Raises:
        InputError: a ``norm`` that is not finite.
    """
    check_finite("norm", norm)
    return norm / math.sqrt(2) * torch.eye(2, dtype=torch.float64)


def pure_shear_matrix(norm: float = 1.0, angle: float = 0.0) -> Tensor:
    """Return the gradient of a pure shear with the given Frobenius norm, stretching along ``angle`` (radians from x).

    Returns:
        ``(2, 2)`` float64, symmetric and traceless; gradients of displacements in pixels per pixel.

    Raises:
        InputError: a ``norm`` or an ``angle`` that is not finite.
    """
    check_finite("norm", norm)
    check_finite("angle", angle)
    cosine, sine = math.cos(2 * angle), math.sin(2 * angle)
    return norm / math.sqrt(2) * torch.tensor([[cosine, sine], [sine, -cosine]], dtype=torch.float64)


def _check_patch_size(patch_size: int, image_size: int, smallest: int) -> None:
    if patch_size % 2 != 1 or not smallest <= patch_size <= image_size:
        raise InputError(
            f"patch_size is {patch_size}: it must be an odd number of pixels from {smallest} to {image_size}, the image's size"
        )


def _check_patches(temperature: float, cutoff: int, image_size: int, patch_size: int) -> None:
    """Raise :class:`InputError` unless these describe an ensemble, and patches that fit into its images."""
    check_ensemble(temperature, cutoff, image_size)
    _check_patch_size(patch_size, image_size, 1)


def _check_field(field: Tensor) -> None:
    if field.ndim != 4 or field.shape[1] != 2 or field.shape[2] != field.shape[3]:
        raise InputError(f"field has shape {tuple(field.shape)}: it must be (B, 2, n, n)")


def displacement_gradient(coefficients: Tensor, image_size: int) -> Tensor:
    """Return the gradient of each field at every pixel, exact: the sum of the modes' derivatives.

    Args:
        coefficients: ``(B, 2, c, c)`` as :func:`~diffeo_stability.core.deformation.sample_coefficients` returns them.
        image_size: pixels along a side, ``n``.

    Returns:
        ``(B, 2, 2, n, n)``, pixels per pixel: ``[:, a, b]`` is the derivative of component a along b, x then y.
    """
    cutoff = coefficients.shape[-1]
    phase = _phases(torch.arange(image_size, dtype=torch.float64), cutoff, image_size)
    sines = phase.sin().to(coefficients)
    slopes = (phase.cos() * _wavenumbers(cutoff, image_size)).to(coefficients)
    scaled = image_size * coefficients
    along_x, along_y = slopes @ scaled @ sines.T, sines @ scaled @ slopes.T
    return torch.stack((along_x.mT, along_y.mT), dim=2)


def fit_patches(field: Tensor, patch_size: int) -> PatchFit:
    """Fit an affine field, by least squares, to every patch that fits into the image.

    The fit is linear and separable: means and slopes along rows and columns are matrix products, for all patches at once.

    Args:
        field: ``(B, 2, n, n)`` in pixels, as :func:`~diffeo_stability.core.deformation.displacement_field` returns it.
        patch_size: pixels along a side of the patches, k; odd and at least 3.

    Returns:
        Translation at, and gradient about, the centres of the ``p x p`` patches, ``p = n - k + 1``.

    Raises:
        InputError: a field of another shape, or a patch size that is even, below 3 or larger than the image.
    """
    _check_field(field)
    _check_patch_size(patch_size, field.shape[-1], 3)
    box, ramp = (kernel.to(field) for kernel in _kernels(patch_size, field.shape[-1]))
    mean_x, slope_x = (field @ torch.cat((box, ramp)).T).chunk(2, dim=-1)
    return PatchFit(box @ mean_x, torch.stack((box @ slope_x, ramp @ mean_x), dim=2))


def _kernels(patch_size: int, image_size: int) -> tuple[Tensor, Tensor]:
    """Matrices ``(p, n)`` that take a row of pixels to the mean, and to the least-squares slope, over each stretch of it."""
    offset = torch.arange(patch_size, dtype=torch.float64) - patch_size // 2
    places = image_size - patch_size + 1
    columns = torch.arange(places)[:, None] + torch.arange(patch_size)
    box, ramp = torch.zeros(2, places, image_size, dtype=torch.float64)
    box.scatter_(1, columns, 1 / patch_size)
    ramp.scatter_(1, columns, (offset / offset.square().sum()).expand(places, -1))
    return box, ramp


def squared_norms(fit: PatchFit) -> Tensor:
    """Return the squared norm of each of ``PARTS`` at every place, ``(4, B, p, p)``."""
    (x_x, x_y), (y_x, y_y) = (component.unbind(1) for component in fit.gradient.unbind(1))
    return torch.stack(
        (
            fit.translation.square().sum(1),
            (x_y - y_x).square() / 2,
            (x_x + y_y).square() / 2,
            ((x_x - y_y).square() + (x_y + y_x).square()) / 2,
        )
    )


def energy_weights(patch_size: int) -> Tensor:
    r"""Return what squared norms of the parts are multiplied with to give :math:`\sum |\tau|^2` on a patch, ``(4,)``."""
    area = patch_size**2
    linear = area * (area - 1) / 12
    return torch.tensor([area, linear, linear, linear], dtype=torch.float64)


def patch_energies(field: Tensor, patch_size: int) -> Tensor:
    r"""Return :math:`\sum |\tau|^2` over every patch that fits into the image.

    Args:
        field: ``(B, 2, n, n)`` in pixels.
        patch_size: pixels along a side of the patches, k; odd.

    Returns:
        ``(B, p, p)``, squared pixels, ``p = n - k + 1``.

    Raises:
        InputError: a field of another shape, or a patch size that is even or larger than the image.
    """
    _check_field(field)
    _check_patch_size(patch_size, field.shape[-1], 1)
    return _patch_sums(field.square().sum(1), patch_size)


def _patch_sums(values: Tensor, patch_size: int) -> Tensor:
    """Sum of values ``(..., n, n)`` over every patch, ``(..., p, p)``."""
    if patch_size == 1:
        return values
    box = _kernels(patch_size, values.shape[-1])[0].to(values)
    return patch_size**2 * (box @ values @ box.T)


def patch_parts(fit: PatchFit, patch_size: int) -> Tensor:
    """Return the displacement on each patch that belongs to each of ``PARTS``.

    Args:
        fit: translations ``(B, 2, p, p)`` and gradients ``(B, 2, 2, p, p)``.
        patch_size: pixels along a side of the patches, k.

    Returns:
        ``(4, B, p, p, 2, k, k)`` in pixels, x then y; the last two axes are y and x within the patch.
    """
    offset = torch.arange(patch_size).to(fit.translation) - patch_size // 2
    places = torch.stack(torch.meshgrid(offset, offset, indexing="xy"))
    parts = decompose_gradient(fit.gradient.movedim((1, 2), (-2, -1)))._asdict()
    translation = fit.translation.movedim(1, -1)[..., None, None].expand(-1, -1, -1, -1, patch_size, patch_size)
    return torch.stack((translation, *(torch.einsum("...ab,byx->...ayx", parts[part], places) for part in PARTS[1:])))


def part_sizes(temperature: float, cutoff: int, image_size: int) -> dict[str, float]:
    r"""Return the root mean square of each part's norm over the ensemble and the unit square, in closed form.

    For rotation and compression :math:`\sqrt g`, for pure shear :math:`\sqrt{2 g}`, with
    :math:`g = \left(\frac{n}{n - 1}\right)^2 \frac{\pi^2 T}{8} N` and N modes within the cutoff.

    Returns:
        By name of ``PARTS``: pixels for the translation, else the dimensionless Frobenius norm.

    Raises:
        InputError: ``cutoff`` below 1, ``image_size`` below 2, or a negative or infinite ``temperature``.
    """
    translation = rms_displacement(temperature, cutoff, image_size)
    modes = int((_mode_variances(cutoff) > 0).sum())
    linear = image_size / (image_size - 1) * math.pi * math.sqrt(temperature * modes / 8)
    return dict(zip(PARTS, (translation, linear, linear, math.sqrt(2) * linear), strict=True))


def part_sizes_at_patches(
    temperature: float, cutoff: int, image_size: int, patch_size: int, *, finite: bool = True
) -> dict[str, PartSize]:
    """Return the expected size of each part, averaged over the centres of all patches that fit into the image.

    Args:
        temperature, cutoff: of the ensemble.
        image_size: pixels along a side, n.
        patch_size: pixels along a side of the patches, k; odd.
        finite: of the fit to finite patches, exact; else of the field and its derivative at their centres, which is the limit
            of small patches and the same for ``patch_size`` 1.

    Returns:
        By name of ``PARTS``.

    Raises:
        InputError: a patch size that is even or larger than the image, or what :func:`part_sizes` refuses.
    """
    _check_patches(temperature, cutoff, image_size, patch_size)
    w, s = _variances_at_patches(cutoff, image_size, patch_size, patch_size if finite else 1)
    norm = (temperature * _mean_squares(w, s)).sqrt()
    translation, linear, pure_shear = (math.pi * w / 2).sqrt(), (s / math.pi).sqrt(), (math.pi * s).sqrt() / 2
    mean = math.sqrt(temperature) * torch.stack((translation, linear, linear, pure_shear)).mean((1, 2))
    return {part: PartSize(*size) for part, *size in zip(PARTS, norm.tolist(), mean.tolist(), strict=True)}


def part_shares(cutoff: int, image_size: int, patch_size: int) -> dict[str, float]:
    r"""Return the expected share of each part, and of the remainder, in :math:`\sum |\tau|^2` on a patch, in closed form.

    A ratio of means, over the ensemble and all patches that fit into the image; it does not depend on the temperature.

    Returns:
        By name of ``PARTS`` and ``"remainder"``; they add up to 1.

    Raises:
        InputError: as :func:`part_sizes_at_patches`.
    """
    _check_patches(1.0, cutoff, image_size, patch_size)
    energies = energy_weights(patch_size) * _mean_squares(
        *_variances_at_patches(cutoff, image_size, patch_size, patch_size)
    )
    total = _mean_energy(cutoff, image_size, patch_size)
    shares = torch.cat((energies, (total - energies.sum())[None])) / total
    return dict(zip((*PARTS, REMAINDER), shares.tolist(), strict=True))


def size_without_translation(
    temperature: float, cutoff: int, image_size: int, patch_size: int, *, finite: bool = True
) -> float:
    r"""Return the expected size of what is no translation on a patch, in pixels: the root mean square of
    :math:`|\tau - \langle \tau \rangle|` over its pixels, the ensemble and all patches that fit into the image.

    Args:
        temperature, cutoff, image_size, patch_size: as :func:`part_sizes_at_patches` takes them.
        finite: of the field, exact; else of the linear field that has its derivative at the patch's centre, which is the limit
            of small patches, :math:`\sqrt{(k^2 - 1) / 12}` times the size of :math:`U`.

    Raises:
        InputError: as :func:`part_sizes_at_patches`.
    """
    sizes = part_sizes_at_patches(temperature, cutoff, image_size, patch_size, finite=finite)
    if not finite:
        weights = (energy_weights(patch_size) / patch_size**2).tolist()
        return math.sqrt(
            sum(weight * sizes[part].norm ** 2 for weight, part in zip(weights[1:], PARTS[1:], strict=True))
        )
    total = temperature * _mean_energy(cutoff, image_size, patch_size) / patch_size**2
    return math.sqrt(max(total - sizes["translation"].norm ** 2, 0.0))


def _mean_energy(cutoff: int, image_size: int, patch_size: int) -> float:
    r"""Expected :math:`\sum |\tau|^2` over a patch at temperature 1, a mean over all patches that fit into the image."""
    at_pixels, _ = _variances_at_patches(cutoff, image_size, 1, 1)
    return 2 * float(_patch_sums(at_pixels, patch_size).mean())


def _mean_squares(w: Tensor, s: Tensor) -> Tensor:
    """Mean square of each of ``PARTS`` over places with the variances W and S, ``(4,)``."""
    return torch.stack((2 * w, s / 2, s / 2, s)).mean((1, 2))


def _wavenumbers(cutoff: int, image_size: int) -> Tensor:
    """Phase of every mode from pixel to pixel, ``(c,)``: theta_i in the head of this module."""
    return torch.arange(1, cutoff + 1, dtype=torch.float64) * math.pi / (image_size - 1)


def _phases(pixels: Tensor, cutoff: int, image_size: int) -> Tensor:
    """Phase of every mode at positions in pixels, ``(positions, c)``."""
    return pixels[:, None] * _wavenumbers(cutoff, image_size)


def _variances_at_patches(cutoff: int, image_size: int, patch_size: int, fit_size: int) -> tuple[Tensor, Tensor]:
    """W and S of the head of this module at temperature 1, at the centres of all patches, ``(p, p)`` each.

    Args:
        patch_size: of the patches whose centres are meant.
        fit_size: of the patches to which translation and gradient are fitted; 1 for the field and its derivative.
    """
    offset = torch.arange(fit_size, dtype=torch.float64) - fit_size // 2
    step = _wavenumbers(cutoff, image_size)
    turns = offset[:, None] * step
    mean_factor = turns.cos().mean(0)
    slope_factor = step if fit_size == 1 else (offset @ turns.sin()) / offset.square().sum()
    centre = torch.arange(image_size - patch_size + 1, dtype=torch.float64) + patch_size // 2
    phase = _phases(centre, cutoff, image_size)
    sines, cosines = (phase.sin() * mean_factor).square(), (phase.cos() * slope_factor).square()
    modes = image_size**2 * _mode_variances(cutoff)
    mixed = sines @ modes @ cosines.T
    return sines @ modes @ sines.T, mixed + mixed.T
