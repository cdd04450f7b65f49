r"""From an image x towards another one, z, beside isotropic noise of the same norm.

The perturbation is :math:`r (z - x) / |z - x|`. Source: the October 2021 deck.
"""

import math

from ...core.curves import Perturb, log_spaced, mean_distance, mean_norms, noise_of_norms, partners, towards
from ...core.seeds import generator_for
from ..measuring import curve_rows, curves_by_state, probe_on
from ..registry import Given, Measured


def measure_interpolation_curves(given: Given) -> Measured:
    """Measure a training's network at init and trained: rows of the table ``interpolation_curves``, one per norm ``r``
    (``r_relative``: over the mean norm of the normalised images). ``delta``, of deformations, is NaN.

    Raises:
        InputError: two equal probe images, or a network whose outputs are NaN or the same for every image.
    """
    settings, probe = given.settings, given.probe
    images = probe_on(given.dataset, probe, given.device)
    partner = partners(len(images), generator_for("partners", probe.seed))
    norms = log_spaced(settings.smallest_norm, settings.largest_norm, settings.norms)
    reach = {"delta": math.nan, "datapoint_distance": mean_distance(images, partner)}
    image_norm, _ = mean_norms(images, probe.batch_size)

    def perturbations() -> dict[str, Perturb]:
        noise = noise_of_norms(norms, generator_for("noise", probe.seed))
        return {"datapoint": towards(images, partner, norms), "noise": noise}

    rows = [
        row | {"r_relative": row["r"] / image_norm} | reach
        for identity, name, output, curve, resampled in curves_by_state(given, images, perturbations)
        for row in curve_rows(identity, name, output, curve, norms, resampled)
    ]
    return Measured(rows)
