r"""The maximum-entropy ensemble of smooth deformations, and how a deformation acts on images.

A displacement field :math:`\tau = (\tau_u, \tau_v)` on the unit square has two independent components

.. math:: \tau_u(u, v) = \sum_{i, j \ge 1,\; i^2 + j^2 \le (c + 1/2)^2} C_{ij} \sin(i \pi u) \sin(j \pi v),
          \qquad C_{ij} \sim \mathcal N\left(0, \frac{T}{i^2 + j^2}\right),

with temperature ``T`` and high-frequency cutoff ``c``. It vanishes on the border. Pixel ``k`` of ``n`` sits at
``k / (n - 1)`` and a displacement of :math:`\tau` is :math:`n \tau` pixels. The deformed image is
:math:`(\tau x)(s) = x(s - \tau(s))`.

Source: Petrini, Favero, Geiger and Wyart, *Relative stability toward diffeomorphisms indicates performance in deep nets*
(arXiv:2105.02468), section 2 and appendix A.
"""

import math
from functools import lru_cache
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from .checks import (
    check_fits,
    check_generator,
    check_image_size,
    check_images,
    check_not_negative,
    check_tensor,
    check_whole,
    finite,
)
from .errors import InputError
from .precision import without_autocast

Interpolation = Literal["bilinear", "nearest", "gaussian"]

GAUSSIAN_SIGMA = 0.4715  # pixels; the width used by the papers
GAUSSIAN_RADIUS = 3  # pixels; what lies beyond weighs less than 1e-11
LARGEST_CUTOFF = 2048  # a field of more modes than that has no place in an image that fits into memory
LARGEST_BATCH = 2**60
FIELD_ELEMENTS_PER_CHUNK = 2**22  # bounds what a large batch needs beside itself to about 50 MB


def check_cutoff(cutoff: int, smallest: int) -> None:
    """Raise :class:`InputError` unless a cutoff is a whole number within its range."""
    if smallest == 2 and cutoff == 1 and cutoff is not True:
        raise InputError(
            "cutoff is 1: it must be at least 2, as ln c, which sets the typical displacement, vanishes at 1"
        )
    check_whole("cutoff", cutoff, smallest, LARGEST_CUTOFF)


def check_ensemble(temperature: float, cutoff: int, image_size: int) -> None:
    """Raise :class:`InputError` unless these describe an ensemble: a ``cutoff`` of at least 1, an ``image_size`` of at least 2
    and a ``temperature`` that is finite and not negative.
    """
    check_cutoff(cutoff, 1)
    check_image_size(image_size)
    check_not_negative("temperature", temperature)


def temperature_from_displacement(displacement: float, cutoff: int, image_size: int) -> float:
    r"""Return the temperature at which the typical displacement is ``displacement`` pixels.

    :math:`T = 4 \delta^2 / (\pi n^2 \ln c)`, the asymptotic form of arXiv:2105.02468, eq. 3.

    Returns:
        The temperature, of displacements in units of the image's side.

    Raises:
        InputError: ``cutoff`` below 2, ``image_size`` below 2, or a negative or infinite ``displacement``.
    """
    check_cutoff(cutoff, 2)
    check_image_size(image_size)
    check_not_negative("displacement", displacement)
    return 4 * displacement**2 / (math.pi * image_size**2 * math.log(cutoff))


def displacement_from_temperature(temperature: float, cutoff: int, image_size: int) -> float:
    r"""Return the typical displacement in pixels, :math:`\delta = n \sqrt{\pi T \ln c} / 2` (asymptotic form).

    Inverse of :func:`temperature_from_displacement`, and raises as it does.

    Returns:
        The displacement in pixels.
    """
    check_cutoff(cutoff, 2)
    check_image_size(image_size)
    check_not_negative("temperature", temperature)
    return image_size * math.sqrt(math.pi * temperature * math.log(cutoff)) / 2


def rms_displacement(temperature: float, cutoff: int, image_size: int) -> float:
    r"""Return the exact root-mean-square displacement in pixels, averaged over the ensemble and the unit square.

    :math:`n \sqrt{(T / 2) \sum 1 / (i^2 + j^2)}` over the modes within the cutoff. The mean over the ``n x n`` pixels of
    a sampled image, border included, is smaller by ``(n - 1) / n``.

    Returns:
        The displacement in pixels.

    Raises:
        InputError: ``cutoff`` below 1, ``image_size`` below 2, or a negative or infinite ``temperature``.
    """
    check_ensemble(temperature, cutoff, image_size)
    return image_size * math.sqrt(temperature / 2 * float(_mode_variances(cutoff).sum()))


def temperature_range(image_size: int, cutoff: int) -> tuple[float, float]:
    r"""Return ``(T_min, T_max)``, between which a field can be seen and is still a diffeomorphism.

    :math:`T_\min = 1 / (\pi n^2 \ln c)`, a displacement of half a pixel, and :math:`T_\max = 4 / (\pi^3 c^2 \ln c)`, the
    first overhangs (arXiv:2105.02468, appendix A).

    Returns:
        The smallest and the largest temperature.

    Raises:
        InputError: ``cutoff`` below 2, or above ``2 n / pi``, where the range is empty.
    """
    check_temperature_range(image_size, cutoff)
    log_cutoff = math.log(cutoff)
    return 1 / (math.pi * image_size**2 * log_cutoff), overhang_temperature(cutoff)


def overhang_temperature(cutoff: int) -> float:
    r"""Return the temperature of the first overhangs, :math:`T_\max` of :func:`temperature_range`, for a cutoff of at least 2."""
    return 4 / (math.pi**3 * cutoff**2 * math.log(cutoff))


def check_temperature_range(image_size: int, cutoff: int) -> None:
    """Raise :class:`InputError` unless there is a temperature between the two that :func:`temperature_range` returns."""
    check_cutoff(cutoff, 2)
    check_image_size(image_size)
    if cutoff > 2 * image_size / math.pi:
        raise InputError(
            f"no temperature gives a visible diffeomorphism at cutoff {cutoff} for {image_size} x {image_size} pixels: "
            f"the largest cutoff is 2 n / pi = {2 * image_size / math.pi:.1f}"
        )


@lru_cache
@torch.inference_mode(False)
def _mode_variances(cutoff: int) -> Tensor:
    """Variance of each coefficient at temperature 1, ``(c, c)``: ``1 / (i^2 + j^2)`` within the cutoff, else 0."""
    wavenumber = torch.arange(1, cutoff + 1, dtype=torch.float64)
    squared = wavenumber[:, None] ** 2 + wavenumber**2
    return (squared <= (cutoff + 0.5) ** 2) / squared


def sample_coefficients(
    batch_size: int,
    cutoff: int,
    temperature: float,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Draw the coefficients ``C`` of a batch of fields.

    Drawn on the generator's device if there is one, then moved, so that one seed gives one field on every device.

    Returns:
        ``(batch_size, 2, cutoff, cutoff)``: component (x, then y), wavenumber ``i`` along x, wavenumber ``j`` along y;
        zero outside the cutoff.

    Raises:
        InputError: ``batch_size`` or ``cutoff`` below 1, a negative or infinite ``temperature``, or one that is too large for the
            dtype, or fields that do not fit into memory.
    """
    check_cutoff(cutoff, 1)
    check_not_negative("temperature", temperature)
    check_whole("batch_size", batch_size, 1, LARGEST_BATCH)
    check_fits(2 * batch_size * cutoff**2, f"{batch_size} fields of cutoff {cutoff}")
    if dtype is not None and not dtype.is_floating_point:
        raise InputError(f"dtype is {dtype}: it must be floating point")
    check_generator(generator)
    normal = torch.randn(
        (batch_size, 2, cutoff, cutoff),
        generator=generator,
        device=generator.device if generator is not None else device,
        dtype=dtype,
    ).to(device)
    drawn = normal * (temperature * _mode_variances(cutoff)).sqrt().to(normal)
    return finite(drawn, f"coefficients of temperature {temperature:g}")


def coefficients_for(
    images: Tensor, cutoff: int, temperature: float, generator: torch.Generator | None = None
) -> Tensor:
    """Draw the coefficients of one field per image, on the images' device and in at least single precision."""
    dtype = torch.promote_types(images.dtype, torch.float32)
    return sample_coefficients(len(images), cutoff, temperature, generator=generator, device=images.device, dtype=dtype)


def displacement_field(coefficients: Tensor, image_size: int) -> Tensor:
    """Return the fields of a batch of coefficients, in pixels.

    Args:
        coefficients: ``(B, 2, c, c)`` as :func:`sample_coefficients` returns them.
        image_size: pixels along a side, ``n``.

    Returns:
        ``(B, 2, n, n)``: ``[:, 0]`` displaces along x (columns), ``[:, 1]`` along y (rows); the last two axes are y and x.

    Raises:
        InputError: coefficients of another shape, ``image_size`` below 2, fields that do not fit into memory, or that would hold
            NaN or infinite numbers.
    """
    check_image_size(image_size)
    check_tensor("coefficients", coefficients)
    if coefficients.ndim != 4 or coefficients.shape[1] != 2 or coefficients.shape[2] != coefficients.shape[3]:
        raise InputError(f"coefficients have shape {tuple(coefficients.shape)}: it must be (B, 2, c, c)")
    if coefficients.shape[2] < 1:
        raise InputError(f"coefficients have shape {tuple(coefficients.shape)}: the cutoff must be at least 1")
    check_fits(
        2 * len(coefficients) * image_size**2, f"{len(coefficients)} fields of {image_size} x {image_size} pixels"
    )
    return finite(_mode_sum(image_size * coefficients, image_size), "the field")


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # what is kept must serve callers with and without gradients
def _sines(image_size: int, cutoff: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """``sin(i pi k / (n - 1))`` for every pixel and wavenumber, ``(n, c)``."""
    position = torch.linspace(0, math.pi, image_size, dtype=torch.float64)
    wavenumber = torch.arange(1, cutoff + 1, dtype=torch.float64)
    return torch.sin(position[:, None] * wavenumber).to(dtype=dtype, device=device)


@without_autocast
def _mode_sum(coefficients: Tensor, image_size: int) -> Tensor:
    """Sum of the modes, ``(B, 2, n, n)``: two matrix products for the whole batch, over ``j`` along y, then ``i`` along x."""
    cutoff = coefficients.shape[-1]
    sines = _sines(image_size, cutoff, coefficients.dtype, coefficients.device)
    along_y = (coefficients.reshape(-1, cutoff) @ sines.T).view(-1, cutoff, image_size)
    return (along_y.mT.reshape(-1, cutoff) @ sines.T).view(-1, 2, image_size, image_size)


def remap(images: Tensor, field: Tensor, interpolation: Interpolation = "bilinear") -> Tensor:
    """Displace each image by its field: the value at ``s`` becomes the value at ``s - field(s)``, clamped to the border.

    Differentiable in the images; with ``bilinear`` and ``gaussian`` also in the field.

    Args:
        images: ``(B, C, n, n)``, floating point.
        field: ``(B, 2, n, n)`` in pixels, as :func:`displacement_field` returns it.
        interpolation: ``bilinear``; ``nearest``; or ``gaussian``, the mean of all pixels weighted by a Gaussian of 0.4715
            pixels about the place.

    Returns:
        ``(B, C, n, n)`` in the images' dtype and device. Half-precision images are displaced in float32.

    Raises:
        InputError: images that are not a batch of square floating-point images, a field of another shape, an unknown
            interpolation, or images or a field that hold NaN or infinite numbers.
    """
    check_images(images)
    check_tensor("field", field)
    batch_size, _, size, _ = images.shape
    if field.shape != (batch_size, 2, size, size):
        raise InputError(
            f"field has shape {tuple(field.shape)}: for these images it must be {(batch_size, 2, size, size)}"
        )
    exact = torch.promote_types(images.dtype, torch.float32)
    places = _places(field.to(device=images.device, dtype=exact))
    return finite(_sample(images, finite(places, "the field"), interpolation), "the images")


def _places(field: Tensor, out: Tensor | None = None) -> Tensor:
    """Where each pixel's value comes from, x then y from -1 to 1, ``(B, 2, n, n)``; in ``out`` if that is given.

    From pixels by a division, not a product with the inverse: in single precision grid_sample then gets back the very pixel
    or the number next to it.
    """
    size = field.shape[-1]
    return torch.sub(_identity(size, field.dtype, field.device), field, out=out).div_((size - 1) / 2).sub_(1)


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _identity(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Every pixel's own place in pixels, x then y, ``(2, n, n)``."""
    pixel = torch.arange(size, dtype=dtype, device=device)
    return torch.stack((pixel.expand(size, size), pixel[:, None].expand(size, size)))


def check_interpolation(interpolation: Interpolation) -> None:
    """Raise :class:`InputError` unless an interpolation is one that there is."""
    if interpolation not in get_args(Interpolation):
        raise InputError(f"interpolation is {interpolation!r}: it must be one of {', '.join(get_args(Interpolation))}")


@without_autocast
def _sample(images: Tensor, places: Tensor, interpolation: Interpolation) -> Tensor:
    """Values of each image at places ``(B, 2, n, n)`` from -1 to 1, in the images' dtype."""
    check_interpolation(interpolation)
    source = images.to(places.dtype)
    if interpolation == "gaussian":
        return _sample_gaussian(source, places).to(images.dtype)
    # The planar layout, permuted, is one that grid_sample's kernel for processors reads fast
    grid = places.permute(0, 2, 3, 1)
    return F.grid_sample(source, grid, mode=interpolation, padding_mode="border", align_corners=True).to(images.dtype)


def _sample_gaussian(images: Tensor, places: Tensor) -> Tensor:
    batch_size, channels, size, _ = images.shape
    position_x, position_y = ((places + 1) * ((size - 1) / 2)).clamp(0, size - 1).unbind(1)

    def taps(position: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Neighbouring pixels along one axis with their weights; those outside the image weigh nothing."""
        nearest = position.round()
        offsets = range(-GAUSSIAN_RADIUS, GAUSSIAN_RADIUS + 1)
        neighbours = [nearest + offset for offset in offsets]
        weights = torch.stack(
            [
                torch.exp(-((position - n) ** 2) / (2 * GAUSSIAN_SIGMA**2)) * ((n >= 0) & (n <= size - 1))
                for n in neighbours
            ]
        )
        weights = weights / weights.sum(0)
        return [(n.clamp(0, size - 1).long(), w) for n, w in zip(neighbours, weights, strict=True)]

    flat = images.reshape(batch_size, channels, -1)
    result = torch.zeros_like(flat)
    taps_x = taps(position_x)
    for row, weight_y in taps(position_y):
        for column, weight_x in taps_x:
            index = (row * size + column).reshape(batch_size, 1, -1).expand(-1, channels, -1)
            result += (weight_y * weight_x).reshape(batch_size, 1, -1) * flat.gather(2, index)
    return result.view_as(images)


def deform_with(images: Tensor, coefficients: Tensor, interpolation: Interpolation = "bilinear") -> Tensor:
    """Displace each image ``(B, C, n, n)`` by the field of its coefficients ``(B, 2, c, c)``.

    The same as ``remap(images, displacement_field(coefficients, n), interpolation)``, with a pass over memory less and, for
    large batches, in pieces: more allocations would cost more than the arithmetic.
    """
    check_images(images)
    size = images.shape[-1]
    chunk = max(1, round(FIELD_ELEMENTS_PER_CHUNK / (2 * size * size)))
    scaled = size * coefficients

    def deformed_by(source: Tensor, c: Tensor) -> Tensor:
        field = _mode_sum(c, size)
        return _sample(source, _places(field, out=field), interpolation)

    if len(images) <= chunk:
        return deformed_by(images, scaled)
    deformed = torch.empty_like(images)
    for target, source, c in zip(deformed.split(chunk), images.split(chunk), scaled.split(chunk), strict=True):
        target.copy_(deformed_by(source, c))
    return deformed


def deform(
    images: Tensor,
    *,
    displacement: float | None = None,
    temperature: float | None = None,
    cutoff: int = 3,
    interpolation: Interpolation = "bilinear",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Deform each image by a field of its own, drawn from the ensemble.

    Args:
        images: ``(B, C, n, n)``, floating point, of any value range.
        displacement: typical displacement in pixels (asymptotic form); 1 if neither this nor ``temperature`` is given.
        temperature: temperature of the ensemble, instead of ``displacement``.
        cutoff: high-frequency cutoff ``c``; at least 2 unless ``temperature`` is given.
        interpolation: as in :func:`remap`.
        generator: source of randomness; torch's default one if not given.

    Returns:
        The deformed images, ``(B, C, n, n)``, in the images' dtype and device.

    Raises:
        InputError: both ``displacement`` and ``temperature``, or what :func:`remap` and
            :func:`temperature_from_displacement` refuse.
    """
    check_images(images)
    if temperature is None:
        temperature = temperature_from_displacement(
            1.0 if displacement is None else displacement, cutoff, images.shape[-1]
        )
    elif displacement is not None:
        raise InputError("displacement and temperature were both given: they set the same thing, give one")
    deformed = deform_with(images, coefficients_for(images, cutoff, temperature, generator), interpolation)
    return finite(deformed, "the deformed images")
