r"""D, G and R against the typical displacement, at several cutoffs.

Temperatures go from :math:`T_\min / 15` to :math:`2 T_\max`: from below what can be seen to beyond what is a diffeomorphism,
where fields fold images over themselves.

Source: arXiv:2105.02468, the range of temperatures and the cutoffs 3, 5 and 15 in the code published with it.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ...core.bootstrap import bootstrap_means, percentile_interval
from ...core.curves import Perturb, deformations_of, log_spaced, mean_displaced_norm, noise_of_norms
from ...core.deformation import (
    coefficients_for,
    displacement_from_temperature,
    temperature_from_displacement,
    temperature_range,
)
from ...core.distances import Distances
from ...core.images import Images
from ...core.seeds import generator_for
from ..measuring import measured_curves, probe_generator, probe_on
from ..registry import Given, Measured
from ..settings import Probe
from . import StabilityVsDisplacement

COLDER, HOTTER = 15.0, 2.0  # than the range of visible diffeomorphisms, the ends of what is measured


class Sweep(NamedTuple):
    """The perturbations at one cutoff.

    Attributes:
        cutoff: c.
        coefficients: of one field per image at temperature 1, ``(P, 2, c, c)``.
        displacements: typical ones in pixels, ascending.
        norms: of the noise at each of them, the mean of ``|tau x - x|``.
        visible, overhang: displacements in pixels between which a field can be seen and is a diffeomorphism.
    """

    cutoff: int
    coefficients: Tensor
    displacements: list[float]
    norms: list[float]
    visible: float
    overhang: float

    def name_of(self, perturbation: str) -> str:
        return f"{perturbation} at cutoff {self.cutoff}"


def measure_stability_vs_displacement(given: Given) -> Measured:
    """Measure a training's network at init and trained, all displacements of all cutoffs in one pass over the images.

    Returns:
        Rows of the table ``stability_vs_displacement``, one per cutoff and displacement ``delta`` in pixels: ``temperature``;
        the norm ``r`` of the noise; ``D``, ``G`` and ``R`` with 95% bootstrap intervals over images; ``delta_visible`` and
        ``delta_overhang``, between which a field is a visible ``diffeomorphism``. All networks see the same images, fields
        (at each cutoff those of the figure ``stability``, scaled) and directions of noise.

    Raises:
        InputError: a cutoff without a temperature range for these images, or a network whose outputs are NaN or the same for
            every image.
    """
    settings, probe = given.settings, given.probe
    images = probe_on(given.dataset, probe, given.device)
    sweeps = [_sweep(images, cutoff, settings, probe) for cutoff in settings.cutoffs]

    def perturbations() -> dict[str, Perturb]:
        found = {}
        for sweep in sweeps:
            found[sweep.name_of("deformation")] = deformations_of(
                sweep.coefficients, sweep.displacements, sweep.cutoff, settings.interpolation
            )
            found[sweep.name_of("noise")] = noise_of_norms(sweep.norms, generator_for("noise", probe.seed))
        return found

    rows = []
    for evaluated, curves in measured_curves(given, images, perturbations):
        for sweep in sweeps:
            deformed, noisy = (curves[sweep.name_of(what), "logits"].distances for what in ("deformation", "noise"))
            stabilities = _stabilities(deformed, noisy, probe)
            where = _columns(sweep, given.dataset.image_size)
            rows += [{**evaluated.columns, **place, **values} for place, values in zip(where, stabilities, strict=True)]
    return Measured(rows)


def _sweep(images: Images, cutoff: int, settings: StabilityVsDisplacement, probe: Probe) -> Sweep:
    """The perturbations at one cutoff, over its range of temperatures."""
    size = images.shape[-1]
    coldest, hottest = temperature_range(size, cutoff)
    limits = (displacement_from_temperature(temperature, cutoff, size) for temperature in (coldest, hottest))
    ends = (
        displacement_from_temperature(temperature, cutoff, size) for temperature in (coldest / COLDER, HOTTER * hottest)
    )
    displacements = log_spaced(*ends, settings.displacements)
    coefficients = coefficients_for(images, cutoff, 1.0, probe_generator(probe))
    how = {"cutoff": cutoff, "interpolation": settings.interpolation, "batch_size": probe.batch_size}
    norms = [mean_displaced_norm(images, coefficients, displacement, **how) for displacement in displacements]
    return Sweep(cutoff, coefficients, displacements, norms, *limits)


def _columns(sweep: Sweep, image_size: int) -> list[dict]:
    """The columns that say which perturbations a row is about, by displacement."""
    return [
        {
            "cutoff": sweep.cutoff,
            "delta": delta,
            "temperature": temperature_from_displacement(delta, sweep.cutoff, image_size),
            "r": norm,
            "delta_visible": sweep.visible,
            "delta_overhang": sweep.overhang,
            "diffeomorphism": sweep.visible <= delta <= sweep.overhang,
        }
        for delta, norm in zip(sweep.displacements, sweep.norms, strict=True)
    ]


def _stabilities(deformed: Distances, noisy: Distances, probe: Probe) -> list[dict[str, float]]:
    """D, G and R by displacement, with intervals from images that are resampled together for all of them."""
    values = torch.cat((deformed.moved, noisy.moved, deformed.spread[None]))
    means = bootstrap_means(values, probe.resamples, generator_for("bootstrap", probe.seed))
    # Estimates go in front of their resamples, so that both go through the same sums
    means = torch.cat((values.mean(1, keepdim=True), means), dim=1)
    between = deformed.between_images(means[-1])
    deformation, noise = (means[:-1] / between).chunk(2)
    columns: list[dict[str, float]] = [{} for _ in deformation]
    for quantity, numbers in {"D": deformation, "G": noise, "R": deformation / noise}.items():
        low, high = percentile_interval(numbers[:, 1:])
        for row, value, bottom, top in zip(columns, numbers[:, 0], low, high, strict=True):
            row |= {quantity: float(value), f"{quantity}_low": float(bottom), f"{quantity}_high": float(top)}
    return columns
