r"""How far outputs move against the norm r of the perturbation, for noise and deformations.

D(r) and G(r) grow as :math:`r^2` where the function is linear. The maximum of :math:`G / r^2`, where it rises above that
level, is the bump of the October 2021 deck, at :math:`r^*`.
"""

import math
from typing import NamedTuple

from torch import Tensor

from ...core.curves import (
    Curve,
    Perturb,
    deformations_of,
    displacements_of_norms,
    log_spaced,
    mean_displaced_norm,
    mean_norms,
    noise_of_norms,
    norm_of_share,
    summarise,
)
from ...core.deformation import coefficients_for, displacement_from_temperature, temperature_range
from ...core.errors import InputError
from ...core.images import Images
from ...core.seeds import generator_for
from ...networks.evaluation import error_interval
from ..measuring import curve_rows, curves_by_state, probe_generator, probe_on
from ..registry import Given, Measured
from ..settings import Probe
from . import NoiseCurves

CHANGED = 0.05  # share of predictions from which on a network counts as misclassifying


class Sweep(NamedTuple):
    """The perturbations of one kind.

    Attributes:
        norms: in ascending order.
        displacements: typical ones in pixels that give the norms; NaN for noise.
        limits: norms from which on deformations can be seen, and up to which they are diffeomorphisms; NaN for noise.
    """

    norms: list[float]
    displacements: list[float]
    limits: dict[str, float]


def measure_noise_curves(given: Given) -> Measured:
    """Measure a training's network at init and trained.

    Returns:
        Rows of the table ``noise_curves``, one per norm ``r`` (``r_relative``: over the mean norm of the normalised images); and
        of its summary, one per curve: see :func:`summarise`. Further columns there: ``r_changed``, the norm at which 5% of the
        predictions have changed, with its interval, of which NaN is what no norm reaches; ``tolerance``, as the figure's block
        has it; ``image_norm``, the mean norm of the images, and
        ``contrast_norm``, that of the images with the mean of each of their channels removed; ``image_size``, pixels along a
        side.

    Raises:
        InputError: a cutoff without a temperature range for these images, norms of which fewer than three can be reached by
            deformations, or a network whose outputs are NaN or the same for every image.
    """
    settings, probe = given.settings, given.probe
    images = probe_on(given.dataset, probe, given.device)
    coefficients = coefficients_for(images, settings.cutoff, 1.0, probe_generator(probe))
    norms = log_spaced(settings.smallest_norm, settings.largest_norm, settings.norms)
    visible, overhang = _visible_diffeomorphisms(settings.cutoff, given.dataset.image_size)
    deformations = _sweep_of_deformations(images, coefficients, norms, (visible, overhang), settings, probe)
    noise = Sweep(norms, [math.nan for _ in norms], dict.fromkeys(deformations.limits, math.nan))
    sweeps = {"deformation": deformations, "noise": noise}

    def perturbations() -> dict[str, Perturb]:
        return {
            "deformation": deformations_of(
                coefficients, deformations.displacements, settings.cutoff, settings.interpolation
            ),
            "noise": noise_of_norms(norms, generator_for("noise", probe.seed)),
        }

    image_norm, contrast_norm = mean_norms(images, probe.batch_size)
    of_images = {"image_norm": image_norm, "contrast_norm": contrast_norm, "image_size": given.dataset.image_size}
    rows, summaries = [], []
    for identity, name, output, curve, resampled in curves_by_state(given, images, perturbations):
        sweep = sweeps[name]
        at_norms = curve_rows(identity, name, output, curve, sweep.norms, resampled)
        for row, delta in zip(at_norms, sweep.displacements, strict=True):
            there = {
                "r_relative": row["r"] / image_norm,
                "delta": delta,
                "diffeomorphism": visible <= delta <= overhang,
            }
            rows.append(row | there)
        summary = summarise(sweep.norms, curve.distances.normalised(), resampled, settings.tolerance)
        changed = _where_predictions_change(sweep.norms, curve, len(images))
        what = {**identity, "perturbation": name, "output": output, "tolerance": settings.tolerance}
        summaries.append({**what, **summary, **changed, **sweep.limits, **of_images})
    return Measured(rows, summaries)


def _where_predictions_change(norms: list[float], curve: Curve, images: int) -> dict[str, float]:
    """The norm at which a share of the predictions has changed; its interval from those of the shares."""
    shares = curve.changed.tolist()
    lows, highs = zip(*(error_interval(share, images) for share in shares), strict=True)
    r_changed = norm_of_share(norms, shares, CHANGED)
    return {
        "r_changed": r_changed,
        "r_changed_low": math.nan if math.isnan(r_changed) else norm_of_share(norms, highs, CHANGED),
        "r_changed_high": norm_of_share(norms, lows, CHANGED),
    }


def _visible_diffeomorphisms(cutoff: int, image_size: int) -> tuple[float, float]:
    """Displacements in pixels between which a field can be seen and is a diffeomorphism."""
    coldest, hottest = temperature_range(image_size, cutoff)
    return (
        displacement_from_temperature(coldest, cutoff, image_size),
        displacement_from_temperature(hottest, cutoff, image_size),
    )


def _sweep_of_deformations(
    images: Images,
    coefficients: Tensor,
    norms: list[float],
    limits: tuple[float, float],
    settings: NoiseCurves,
    probe: Probe,
) -> Sweep:
    """The deformations of those norms that deformations can reach, by fields of these coefficients, ``(P, 2, c, c)``.

    Args:
        limits: displacements in pixels between which a field can be seen and is a diffeomorphism.

    Raises:
        InputError: fewer than three norms can be reached.
    """
    how = {"cutoff": settings.cutoff, "interpolation": settings.interpolation, "batch_size": probe.batch_size}
    solved = displacements_of_norms(images, coefficients, norms, **how)
    reached = [(norm, delta) for norm, delta in zip(norms, solved, strict=True) if not math.isnan(delta)]
    if len(reached) < 3:
        raise InputError(
            f"deformations of these images reach {len(reached)} of the norms {norms[0]:g} to {norms[-1]:g}: "
            "lower noise_curves.smallest_norm, or raise noise_curves.norms"
        )
    visible, overhang = (mean_displaced_norm(images, coefficients, displacement, **how) for displacement in limits)
    reached_norms, displacements = (list(column) for column in zip(*reached, strict=True))
    return Sweep(reached_norms, displacements, {"r_visible": visible, "r_overhang": overhang})
