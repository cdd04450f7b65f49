r"""How far outputs move against the norm r of the perturbation, for noise and deformations.

D(r) and G(r) grow as :math:`r^2` where the function is linear. The maximum of :math:`G / r^2`, where it rises above that
level, is the bump of the October 2021 deck, at :math:`r^*`.
"""

import math

from ...core.curves import (
    deformations_of,
    displacements_of_norms,
    log_spaced,
    mean_displaced_norm,
    measure_curves,
    noise_of_norms,
    resample,
    summarise,
)
from ...core.deformation import coefficients_for, displacement_from_temperature, temperature_range
from ...core.errors import InputError
from ...core.seeds import generator_for
from ..measuring import curve_rows, describe, networks_by_state, probe_generator, probe_on
from ..registry import Given, Measured


def measure_noise_curves(given: Given) -> Measured:
    """Measure a training's network at init and trained.

    Returns:
        Rows of the table ``noise_curves``, one a norm, and of its summary, one a curve: see :func:`summarise`.

    Raises:
        InputError: a cutoff without a temperature range for these images, norms of which fewer than three can be reached by
            deformations, or a network whose outputs are NaN or the same for every image.
    """
    settings, probe, size = given.settings, given.probe, given.dataset.image_size
    images = probe_on(given.dataset, probe, given.device)
    coefficients = coefficients_for(images, settings.cutoff, 1.0, probe_generator(probe))
    how = {"cutoff": settings.cutoff, "interpolation": settings.interpolation, "batch_size": probe.batch_size}
    norms = log_spaced(settings.smallest_norm, settings.largest_norm, settings.norms)
    solved = displacements_of_norms(images, coefficients, norms, **how)
    reached = [(r, delta) for r, delta in zip(norms, solved, strict=True) if not math.isnan(delta)]
    if len(reached) < 3:
        raise InputError(
            f"deformations of these images reach {len(reached)} of the norms {norms[0]:g} to {norms[-1]:g}: "
            "lower noise_curves.smallest_norm, or raise noise_curves.norms"
        )
    reached_norms, displacements = (list(column) for column in zip(*reached, strict=True))
    visible, overhang = (
        displacement_from_temperature(temperature, settings.cutoff, size)
        for temperature in temperature_range(size, settings.cutoff)
    )
    limits = {
        "r_visible": mean_displaced_norm(images, coefficients, visible, **how),
        "r_overhang": mean_displaced_norm(images, coefficients, overhang, **how),
    }
    rows, summaries = [], []
    for state, network, metadata in networks_by_state(given.checkpoints, given.device):
        perturbations = {
            "deformation": deformations_of(coefficients, displacements, settings.cutoff, settings.interpolation),
            "noise": noise_of_norms(norms, generator_for("noise", probe.seed)),
        }
        curves = measure_curves(network, images, images.labels, perturbations, batch_size=probe.batch_size)
        for (name, output), curve in curves.items():
            columns = describe(state, metadata)
            own_norms = norms if name == "noise" else reached_norms
            resampled = resample(curve.distances, probe.resamples, generator_for("bootstrap", probe.seed))
            own = curve_rows(columns, name, output, curve, own_norms, resampled)
            for index, row in enumerate(own):
                delta = math.nan if name == "noise" else displacements[index]
                inside = name == "deformation" and visible <= delta <= overhang
                rows.append(row | {"delta": delta, "diffeomorphism": inside})
            summary = summarise(own_norms, curve.distances.normalised(), resampled, settings.tolerance)
            what = {**columns, "perturbation": name, "output": output}
            summaries.append(what | summary | (limits if name == "deformation" else dict.fromkeys(limits, math.nan)))
    return Measured(rows, summaries)
