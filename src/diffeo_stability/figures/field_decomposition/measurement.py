"""Sizes of the four parts of the ensemble's fields, measured beside their closed forms, and one patch taken apart.

Source: the November 2021 deck, "Locally, we can decompose our displacement field".
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ...core.bootstrap import bootstrap_means, percentile_interval
from ...core.deformation import displacement_field, sample_coefficients, temperature_range
from ...core.errors import InputError
from ...core.gradients import (
    PARTS,
    REMAINDER,
    PatchFit,
    displacement_gradient,
    energy_weights,
    fit_patches,
    part_shares,
    part_sizes_at_patches,
    patch_energies,
    patch_parts,
    size_without_translation,
    squared_norms,
)
from ...core.seeds import generator_for
from ..registry import Given, Measured
from ..settings import Probe
from . import FieldDecomposition

WITHOUT_TRANSLATION = "without_translation"
PICTURE_FIELDS = 100
FIELD_ELEMENTS_PER_CHUNK = 2**18  # of fields at a time; they and what is fitted to them stay in the processor's cache


class MeasuredParts(NamedTuple):
    """Averages over all patches of each of F fields, float64.

    Attributes:
        squares, norms: squared norm, and norm, of each of ``PARTS``, ``(4, F)``.
        energy: sum of the squared displacement on a patch, ``(F,)``.
    """

    squares: Tensor
    norms: Tensor
    energy: Tensor


def measure_parts(coefficients: Tensor, image_size: int, patch_sizes: list[int]) -> dict[int, MeasuredParts]:
    """Measure every part of each field on all its patches.

    Args:
        coefficients: ``(F, 2, c, c)``.
        image_size: pixels along a side, n.
        patch_sizes: odd numbers of pixels along a side; at 1 the gradient is the exact derivative at every pixel.

    Returns:
        By patch size.

    Raises:
        InputError: a patch size that is even or larger than the image.
    """
    chunk = max(1, FIELD_ELEMENTS_PER_CHUNK // (2 * image_size**2))
    pieces = [
        _measure_chunk(part, displacement_field(part, image_size), patch_sizes)
        for part in coefficients.double().split(chunk)
    ]
    return {
        size: MeasuredParts(
            *(torch.cat(values, dim=-1) for values in zip(*(piece[size] for piece in pieces), strict=True))
        )
        for size in patch_sizes
    }


def _fit(coefficients: Tensor, field: Tensor, patch_size: int) -> PatchFit:
    if patch_size == 1:
        return PatchFit(field, displacement_gradient(coefficients, field.shape[-1]))
    return fit_patches(field, patch_size)


def _measure_chunk(coefficients: Tensor, field: Tensor, patch_sizes: list[int]) -> dict[int, MeasuredParts]:
    measured = {}
    for size in patch_sizes:
        energy = patch_energies(field, size).mean((1, 2))
        squares = squared_norms(_fit(coefficients, field, size))
        measured[size] = MeasuredParts(squares.mean((2, 3)), squares.sqrt().mean((2, 3)), energy)
    return measured


def measure_field_decomposition(given: Given) -> Measured:
    """Measure the parts of sampled fields at every cutoff, temperature and patch size, and take one patch apart.

    One draw of fields per cutoff serves all temperatures, which only scale it.

    Returns:
        Rows of the table ``field_decomposition``, and the pictures. In the table ``norm`` is the root mean square and ``mean``
        the mean of a part's norm; of ``without_translation``, all of a patch but its mean, ``norm`` is that per pixel, and there
        is no ``mean``. ``_formula`` is for infinitely small patches, ``_finite`` in closed form for patches of this
        size, ``_measured`` with the ends of its 95% bootstrap interval over fields; ``share`` and ``share_formula`` are
        shares of the squared displacement, and all that the ``remainder`` has. The pictures: ``image (C, n, n)`` uint8;
        ``field (2, n, n)`` in pixels; ``corner (2,)`` int64, the row and column at which the patch begins; ``parts (5, 2, k, k)``
        in pixels, those of ``PARTS`` and the remainder, which add up to the field on the patch.

    Raises:
        InputError: a patch size larger than the image, or a cutoff without a temperature range for these images.
    """
    dataset, settings, probe = given.dataset, given.settings, given.probe
    size = dataset.image_size
    for patch_size in settings.patch_sizes:
        if patch_size > size:
            raise InputError(
                f"field_decomposition.patch_sizes: {patch_size} does not fit into images of {size} x {size} pixels; "
                f"allowed are odd numbers up to {size}"
            )
    rows = [row for cutoff in settings.cutoffs for row in _cutoff_rows(cutoff, size, settings, probe)]
    coefficients = sample_coefficients(
        PICTURE_FIELDS,
        settings.cutoffs[0],
        settings.temperatures[0],
        generator=generator_for("decomposition picture", probe.seed),
        dtype=torch.float64,
    )
    pictures = {"image": dataset.test_images[0], **_take_apart(displacement_field(coefficients, size))}
    return Measured(rows, pictures=pictures)


def _cutoff_rows(cutoff: int, image_size: int, settings: FieldDecomposition, probe: Probe) -> list[dict]:
    lowest, highest = temperature_range(image_size, cutoff)
    generator = generator_for("decomposition", probe.seed, cutoff)
    coefficients = sample_coefficients(settings.fields, cutoff, 1.0, generator=generator, dtype=torch.float64)
    measured = measure_parts(coefficients, image_size, settings.patch_sizes)
    everything = torch.cat([torch.cat((*parts[:2], parts.energy[None])) for parts in measured.values()])
    resampled = bootstrap_means(everything, probe.resamples, generator).chunk(len(measured))
    # Estimates go in front of their resamples, so that both go through the same sums
    estimates = {
        patch_size: torch.cat((values.mean(1, keepdim=True), resampled_means), dim=1)
        for patch_size, values, resampled_means in zip(
            measured, everything.chunk(len(measured)), resampled, strict=True
        )
    }
    return [
        {
            "cutoff": cutoff,
            "temperature": temperature,
            "patch_size": patch_size,
            **row,
            "temperature_min": lowest,
            "temperature_max": highest,
            "image_size": image_size,
        }
        for temperature in settings.temperatures
        for patch_size, means in estimates.items()
        for row in _part_rows(means, temperature, cutoff, image_size, patch_size)
    ]


def _part_rows(means: Tensor, temperature: float, cutoff: int, image_size: int, patch_size: int) -> list[dict]:
    """Rows of one patch size, from means over fields at temperature 1, ``(9, 1 + resamples)``."""
    squares, norms, energy = means.split((4, 4, 1))
    shares = energy_weights(patch_size)[:, None] * squares / energy
    without = temperature * (energy[0] / patch_size**2 - squares[0])
    shares = torch.cat((shares, 1 - shares.sum(0, keepdim=True)))
    sizes = {"norm": (temperature * squares).sqrt(), "mean": math.sqrt(temperature) * norms}
    small = part_sizes_at_patches(temperature, cutoff, image_size, patch_size, finite=False)
    finite = part_sizes_at_patches(temperature, cutoff, image_size, patch_size)
    expected = part_shares(cutoff, image_size, patch_size)
    rows = []
    for index, part in enumerate((*PARTS, REMAINDER)):
        row = {"part": part}
        for name, values in sizes.items() if part != REMAINDER else ():
            row |= {f"{name}_formula": getattr(small[part], name), f"{name}_finite": getattr(finite[part], name)}
            row |= _with_interval(f"{name}_measured", name, values[index])
        rows.append(row | {"share_formula": expected[part]} | _with_interval("share", "share", shares[index]))
    if patch_size == 1:  # a single pixel has nothing but a translation
        return rows
    return [*rows, _row_without_translation(without, 1 - shares[0], temperature, cutoff, image_size, patch_size)]


def _row_without_translation(
    squares: Tensor, shares: Tensor, temperature: float, cutoff: int, image_size: int, patch_size: int
) -> dict:
    """Row of what is no translation on a patch: its mean square per pixel, and its share, with their resamples."""
    small, finite = (
        size_without_translation(temperature, cutoff, image_size, patch_size, finite=finite) for finite in (False, True)
    )
    sizes = {"part": WITHOUT_TRANSLATION, "norm_formula": small, "norm_finite": finite}
    expected = 1 - part_shares(cutoff, image_size, patch_size)["translation"]
    return (
        sizes
        | _with_interval("norm_measured", "norm", squares.clamp_min(0).sqrt())
        | {"share_formula": expected}
        | _with_interval("share", "share", shares)
    )


def _with_interval(column: str, quantity: str, values: Tensor) -> dict[str, float]:
    """Columns of an estimate and of the ends of its 95% interval, from it and its resamples, ``(1 + resamples,)``."""
    low, high = percentile_interval(values[1:])
    return {column: float(values[0]), f"{quantity}_low": float(low), f"{quantity}_high": float(high)}


def _take_apart(fields: Tensor) -> dict[str, Tensor]:
    """Parts of one of some fields ``(F, 2, n, n)`` on the patch in the middle.

    It is the field whose smallest share is largest there: all parts of it can be seen.
    """
    image_size = fields.shape[-1]
    patch_size = max(3, (image_size // 3 - 1) // 2 * 2 + 1)
    corner = (image_size - patch_size) // 2
    patches = fields[:, :, corner : corner + patch_size, corner : corner + patch_size]
    fit = fit_patches(patches, patch_size)
    parts = patch_parts(fit, patch_size)[:, :, 0, 0]
    everything = torch.cat((parts, (patches - parts.sum(0))[None]))
    energies = everything.square().sum((2, 3, 4))
    chosen = int((energies / energies.sum(0)).amin(0).argmax())
    return {
        "field": fields[chosen].float(),
        "corner": torch.tensor([corner, corner]),
        "parts": everything[:, chosen].float(),
    }
