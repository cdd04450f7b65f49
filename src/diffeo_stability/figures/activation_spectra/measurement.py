r"""Radial power spectra of images and of the activation maps after every operation.

Source: the October 2021 deck, "If hyp. is true, the activations power spectrum should become more low-frequency after
training".
"""

import math

from torch import Tensor

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
        ``ratio_to_init`` is the mean wavenumber over that at init; with batch-norm, over that at init with the statistics of
        each set of images, while either init is compared with itself. It is NaN for a network whose init is not known.

    Raises:
        InputError: a checkpoint that cannot be read, or activations that are NaN or infinite.
    """
    probe = given.probe
    images = probe_on(given.dataset, probe, given.device)
    rows, summary = [], []
    first_init: dict[str, MapSpectrum] = {}
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        network = evaluated.network
        spectra = spectra_by_operation(network, images, batch_size=probe.batch_size, batch_norm=evaluated.batch_norm)
        initial = spectra if evaluated.state == "init" else first_init
        first_init = first_init or initial
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
            summary.append(which | _mean_wavenumbers(spectrum, probe) | _ratios(spectrum, initial.get(name), probe))
    return Measured(rows, summary)


def _by_wavenumber(spectrum: MapSpectrum) -> list[dict]:
    columns = ("wavenumber", "modes", "power", "power_normalised")
    values = (getattr(spectrum, column).tolist() for column in columns)
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _mean_wavenumbers(spectrum: MapSpectrum, probe: Probe) -> dict[str, float]:
    """Columns of the summary about an operation itself."""
    low, high = percentile_interval(_resampled(spectrum, probe))
    return {
        "mean_wavenumber": spectrum.mean_wavenumber,
        "mean_wavenumber_low": float(low),
        "mean_wavenumber_high": float(high),
        "mean_wavenumber_normalised": spectrum.mean_wavenumber_normalised,
        "mean_wavenumber_white": white_noise_wavenumber(spectrum.map_size),
        "images": spectrum.moments.shape[1],
    }


def _ratios(spectrum: MapSpectrum, initial: MapSpectrum | None, probe: Probe) -> dict[str, float]:
    """Columns that compare an operation with itself at init, NaN if there is none."""
    if initial is None:
        value = normalised = low = high = math.nan
    else:
        value = spectrum.mean_wavenumber / initial.mean_wavenumber
        normalised = spectrum.mean_wavenumber_normalised / initial.mean_wavenumber_normalised
        low, high = percentile_interval(_resampled(spectrum, probe) / _resampled(initial, probe))
    names = ("ratio_to_init", "ratio_to_init_low", "ratio_to_init_high", "ratio_to_init_normalised")
    return dict(zip(names, map(float, (value, low, high, normalised)), strict=True))


def _resampled(spectrum: MapSpectrum, probe: Probe) -> Tensor:
    """Mean wavenumbers over resampled images, the same images for every operation and state: ``(resamples,)``."""
    weighted, total = bootstrap_means(spectrum.moments, probe.resamples, generator_for("spectra", probe.seed))
    return weighted / total
