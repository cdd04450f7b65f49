r"""From an image x towards another one, z, beside isotropic noise of the same norm.

The perturbation is :math:`r (z - x) / |z - x|`. Source: the October 2021 deck.
"""

from ...core.curves import log_spaced, mean_distance, measure_curves, noise_of_norms, partners, resample, towards
from ...core.seeds import generator_for
from ..measuring import curve_rows, describe, networks_by_state, probe_on
from ..registry import Given, Measured


def measure_interpolation_curves(given: Given) -> Measured:
    """Measure a training's network at init and trained: rows of the table ``interpolation_curves``, one a norm.

    Raises:
        InputError: two equal probe images, or a network whose outputs are NaN or the same for every image.
    """
    settings, probe = given.settings, given.probe
    images = probe_on(given.dataset, probe, given.device)
    partner = partners(len(images), generator_for("partners", probe.seed))
    norms = log_spaced(settings.smallest_norm, settings.largest_norm, settings.norms)
    reach = {"datapoint_distance": mean_distance(images, partner)}
    rows = []
    for state, network, metadata in networks_by_state(given.checkpoints, given.device):
        perturbations = {
            "datapoint": towards(images, partner, norms),
            "noise": noise_of_norms(norms, generator_for("noise", probe.seed)),
        }
        curves = measure_curves(network, images, images.labels, perturbations, batch_size=probe.batch_size)
        for (name, output), curve in curves.items():
            resampled = resample(curve.distances, probe.resamples, generator_for("bootstrap", probe.seed))
            own = curve_rows(describe(state, metadata), name, output, curve, norms, resampled)
            rows += [row | reach for row in own]
    return Measured(rows)
