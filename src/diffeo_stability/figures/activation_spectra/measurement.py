r"""Radial power spectra of images and of the activation maps after every operation.

Source: the October 2021 deck, "If hyp. is true, the activations power spectrum should become more low-frequency after
training".
"""

import torch

from ...core.bootstrap import bootstrap_means, percentile_interval
from ...core.seeds import generator_for
from ...core.spectra import MapSpectrum, spectra_by_operation, white_noise_wavenumber
from ..measuring import evaluated_networks, operation_columns, probe_on
from ..registry import Given, Measured
from ..settings import Probe


def measure_activation_spectra(given: Given) -> Measured:
    """Measure the spectra of a training's activations at init and trained.

    Returns:
        Rows of the table ``activation_spectra``, one per state, operation and wavenumber; and of its summary, one per state and
        operation. ``operation_index`` counts the operations of the tables in order of execution from ``input``, which is 0.

    Raises:
        InputError: a checkpoint that cannot be read, or activations that are NaN or infinite.
    """
    probe = given.probe
    images = probe_on(given.dataset, probe, given.device)
    rows, summary = [], []
    at_init: dict[str, MapSpectrum] = {}
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        network = evaluated.network
        spectra = spectra_by_operation(network, images, batch_size=probe.batch_size, batch_norm=evaluated.batch_norm)
        at_init = at_init or spectra
        for operation, (name, spectrum) in zip(
            operation_columns(network, spectra, start=0), spectra.items(), strict=True
        ):
            which = {
                **evaluated.columns,
                **operation,
                "channels": spectrum.channels,
                "dead_channels": spectrum.dead_channels,
                "map_size": spectrum.map_size,
            }
            rows += [which | numbers for numbers in _by_wavenumber(spectrum)]
            summary.append(which | _mean_wavenumbers(spectrum, at_init[name], probe))
    return Measured(rows, summary)


def _by_wavenumber(spectrum: MapSpectrum) -> list[dict]:
    columns = ("wavenumber", "modes", "power", "power_normalised")
    values = (getattr(spectrum, column).tolist() for column in columns)
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _mean_wavenumbers(spectrum: MapSpectrum, initial: MapSpectrum, probe: Probe) -> dict[str, float]:
    """Columns of the summary; the interval of the ratio to init is paired, from the same resampled images."""
    both = torch.cat((spectrum.moments, initial.moments))
    weighted, total, initial_weighted, initial_total = bootstrap_means(
        both, probe.resamples, generator_for("spectra", probe.seed)
    )
    mean = weighted / total
    low, high = percentile_interval(mean)
    ratio_low, ratio_high = percentile_interval(mean / (initial_weighted / initial_total))
    return {
        "mean_wavenumber": spectrum.mean_wavenumber,
        "mean_wavenumber_low": float(low),
        "mean_wavenumber_high": float(high),
        "mean_wavenumber_normalised": spectrum.mean_wavenumber_normalised,
        "mean_wavenumber_white": white_noise_wavenumber(spectrum.map_size),
        "ratio_to_init": spectrum.mean_wavenumber / initial.mean_wavenumber,
        "ratio_to_init_low": float(ratio_low),
        "ratio_to_init_high": float(ratio_high),
        "ratio_to_init_normalised": spectrum.mean_wavenumber_normalised / initial.mean_wavenumber_normalised,
        "images": spectrum.moments.shape[1],
    }
