"""The ensemble over cutoff and temperature, and its displacement against both formulas."""

from itertools import product

import torch
from torch import Tensor

from ...core.deformation import (
    deform_with,
    displacement_field,
    displacement_from_temperature,
    rms_displacement,
    sample_coefficients,
    temperature_range,
)
from ...core.errors import InputError
from ...core.seeds import generator_for
from ..registry import Given, Measured

FIELD_BATCH = 250


def measured_displacement(cutoff: int, temperature: float, image_size: int, fields: int, seed: int) -> float:
    """Return the root-mean-square displacement in pixels, over ``fields`` sampled fields and all their pixels."""
    generator = generator_for("displacement", seed, cutoff)
    total = 0.0
    for start in range(0, fields, FIELD_BATCH):
        count = min(FIELD_BATCH, fields - start)
        coefficients = sample_coefficients(count, cutoff, temperature, generator=generator)
        total += float(displacement_field(coefficients, image_size).double().square().sum())
    return (total / (fields * image_size**2)) ** 0.5


def measure_deformations(given: Given) -> Measured:
    """Measure the ensemble at every cutoff and temperature, and deform one image at each.

    Returns:
        Rows of the table ``deformations``, and the pictures: ``image (C, n, n)`` uint8; ``deformed (temperatures, cutoffs,
        C, n, n)`` uint8; ``field (temperatures, cutoffs, 2, n, n)`` in pixels. All deformations come from one draw of
        coefficients, scaled and cut off.

    Raises:
        InputError: a cutoff without a temperature range for these images, or an image that is not there.
    """
    dataset, settings, probe = given.dataset, given.settings, given.probe
    size = dataset.image_size
    if settings.image >= len(dataset.test_images):
        raise InputError(
            f"deformations.image is {settings.image}: the test split has {len(dataset.test_images)} images"
        )
    image = dataset.test_images[settings.image]
    rows, deformed, fields = [], [], []
    for temperature, cutoff in product(settings.temperatures, settings.cutoffs):
        rows.append(_displacement_row(cutoff, temperature, size, settings.fields, probe.seed))
        coefficients = _nested_coefficients(cutoff, max(settings.cutoffs), temperature, probe.seed)
        fields.append(displacement_field(coefficients, size)[0])
        deformed.append(deform_with(image[None].float(), coefficients)[0].round().clamp(0, 255).byte())
    grid = len(settings.temperatures), len(settings.cutoffs)
    pictures = {
        "image": image,
        "deformed": torch.stack(deformed).unflatten(0, grid),
        "field": torch.stack(fields).unflatten(0, grid),
    }
    return Measured(rows, pictures=pictures)


def _displacement_row(cutoff: int, temperature: float, image_size: int, fields: int, seed: int) -> dict[str, float]:
    lowest, highest = temperature_range(image_size, cutoff)
    return {
        "cutoff": cutoff,
        "temperature": temperature,
        "delta_formula": displacement_from_temperature(temperature, cutoff, image_size),
        "delta_exact": rms_displacement(temperature, cutoff, image_size),
        "delta_measured": measured_displacement(cutoff, temperature, image_size, fields, seed),
        "temperature_min": lowest,
        "temperature_max": highest,
        "image_size": image_size,
    }


def _nested_coefficients(cutoff: int, largest: int, temperature: float, seed: int) -> Tensor:
    """Coefficients ``(1, 2, c, c)`` whose common modes are the same for every cutoff, so that panels can be compared."""
    everything = sample_coefficients(1, largest, temperature, generator=generator_for("picture", seed))
    inside = sample_coefficients(1, cutoff, 1.0, generator=generator_for("picture", seed)) != 0
    return everything[:, :, :cutoff, :cutoff] * inside
