"""Images with their smooth deformations, and with noise of the same norm."""

import logging
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypedDict, get_args

import torch
from torch import Tensor

from .checks import all_finite, check_not_negative, check_whole
from .deformation import (
    Interpolation,
    check_cutoff,
    check_interpolation,
    coefficients_for,
    deform_with,
    displacement_from_temperature,
    overhang_temperature,
    temperature_from_displacement,
)
from .errors import InputError
from .images import Images, batches_of
from .set_statistics import BatchNorm

logger = logging.getLogger(__name__)

NoiseNorm = Literal["mean", "per_image"]


class PerturbationSettings(TypedDict, total=False):
    """The keyword arguments of :func:`relative_stability` but for the bootstrap and the source of randomness."""

    displacement: float
    cutoff: int
    interpolation: Interpolation
    noise_norm: NoiseNorm
    batch_size: int
    batch_norm: BatchNorm
    progress: bool


class Perturbed(NamedTuple):
    """A batch of images, deformed, and with noise; each ``(B, C, n, n)``."""

    images: Tensor
    deformed: Tensor
    noisy: Tensor


class PerturbedImages:
    """Images with their deformations and their noise.

    What is drawn depends on the generator's state alone, not on the size of batches: with generators of one seed, any two
    networks see the same perturbations. The images are deformed once more for the norm of the noise, so that memory holds one
    batch of perturbed images at a time.

    Arguments and errors are those of :func:`relative_stability`.

    Args:
        deformed: the images as the caller deforms them, one for one, instead of by ``displacement``, ``cutoff`` and
            ``interpolation``.
    """

    def __init__(
        self,
        images: Images,
        *,
        displacement: float = 1.0,
        cutoff: int = 3,
        interpolation: Interpolation = "bilinear",
        noise_norm: NoiseNorm = "mean",
        batch_size: int = 250,
        generator: torch.Generator | None = None,
        deformed: Images | None = None,
    ):
        check_perturbation(displacement, cutoff, interpolation, noise_norm, batch_size)
        self._images = images
        if deformed is None:
            temperature = temperature_from_displacement(displacement, cutoff, images.shape[-1])
            _warn_of_overhangs(displacement, cutoff, images.shape[-1])
            coefficients = coefficients_for(images, cutoff, temperature, generator)
            self._deform = lambda x, part: deform_with(x, coefficients[part], interpolation)
        else:
            self._deform = lambda _x, part: deformed[part]
        norms = [self._displaced_norms(x, part) for part, x in batches_of(images, images_per_batch(batch_size))]
        self._norms = torch.cat(norms)
        if noise_norm == "mean":
            self._norms = self._norms.mean().expand_as(self._norms)

    def batches(self, batch_size: int, generator: torch.Generator | None) -> Iterator[Perturbed]:
        """Yield them batch by batch, noise drawn from a generator."""
        for part, x in batches_of(self._images, batch_size):
            noise = unit_noise(x, generator).mul_(self._norms[part].to(x.dtype)[:, None, None, None])
            yield Perturbed(x, self._deform(x, part), noise.add_(x))

    def _displaced_norms(self, images: Tensor, part: slice) -> Tensor:
        """How far each image of a part is moved by its field, ``|tau x - x|``: float64 ``(B,)``."""
        _check_finite(images)
        return norms_of(self._deform(images, part) - images)


def perturbed_batches(
    images: Images, *, batch_size: int = 250, generator: torch.Generator | None = None, **perturbation
) -> Iterator[Perturbed]:
    """Yield the images batch by batch with their deformations and their noise, a third of ``batch_size`` of each.

    Arguments and errors are those of :class:`PerturbedImages`.
    """
    perturbed = PerturbedImages(images, batch_size=batch_size, generator=generator, **perturbation)
    return perturbed.batches(images_per_batch(batch_size), generator)


def images_per_batch(batch_size: int) -> int:
    """Return of how many images a batch holds all forms: as they are, deformed and with noise."""
    return max(1, batch_size // len(Perturbed._fields))


def check_perturbation(
    displacement: float = 1.0,
    cutoff: int = 3,
    interpolation: Interpolation = "bilinear",
    noise_norm: NoiseNorm = "mean",
    batch_size: int = 250,
) -> None:
    """Raise :class:`InputError` for the settings of :class:`PerturbedImages` that are out of range whatever the images."""
    if noise_norm not in get_args(NoiseNorm):
        raise InputError(f"noise_norm is {noise_norm!r}: it must be one of {', '.join(get_args(NoiseNorm))}")
    check_whole("batch_size", batch_size, 1)
    check_cutoff(cutoff, 2)
    check_interpolation(interpolation)
    check_not_negative("displacement", displacement)
    if displacement == 0:
        raise InputError("displacement is 0: nothing would be deformed; give a positive number of pixels")


def _warn_of_overhangs(displacement: float, cutoff: int, image_size: int) -> None:
    largest = displacement_from_temperature(overhang_temperature(cutoff), cutoff, image_size)
    if displacement > largest:
        logger.warning(
            "displacement %g is beyond %.3g pixels, up to which fields of cutoff %d are diffeomorphisms of %d x %d pixels: "
            "they fold the image over itself",
            *(displacement, largest, cutoff, image_size, image_size),
        )


def norms_of(images: Tensor) -> Tensor:
    """Return the Euclidean norm of each image, float64 ``(B,)``."""
    return images.flatten(1).double().norm(dim=1)


def _check_finite(images: Tensor) -> None:
    if not all_finite(images):
        raise InputError("images contain NaN or infinite values")


def unit_noise(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return isotropic directions, ``(B, C, n, n)`` of norm 1, drawn image by image: the same whatever the batch size."""
    device = generator.device if generator is not None else images.device
    shape, dtype = images.shape[1:], torch.promote_types(images.dtype, torch.float32)
    noise = torch.stack([torch.randn(shape, generator=generator, device=device, dtype=dtype) for _ in images])
    noise = noise.to(images.device)
    return (noise / norms_of(noise).to(dtype)[:, None, None, None]).to(images.dtype)
