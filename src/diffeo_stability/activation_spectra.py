"""Radial power spectra of images and activation maps."""

import torch
from torch import Tensor

from .errors import InputError


def radial_power_spectrum(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the power of maps per Fourier mode, averaged over rings of equal wavenumber.

    The mean of each map is removed first. Frequencies are signed, so that a wave along y and the same wave along x give the
    same spectrum. Power is normalised such that, summed over all modes, it is the map's variance: white noise of variance
    1 has power ``1 / n^2`` at every wavenumber but 0.

    Args:
        maps: ``(..., n, n)``, floating point.

    Returns:
        Wavenumbers in cycles per map width, ``0, 1, ...`` up to the corner at about ``n / sqrt(2)``; and the mean power of
        the modes that round to each, ``(..., wavenumbers)``.

    Raises:
        InputError: maps that are not square or not floating point.
    """
    if maps.ndim < 2 or maps.shape[-1] != maps.shape[-2] or maps.numel() == 0 or not maps.is_floating_point():
        raise InputError(f"maps are {maps.dtype} {tuple(maps.shape)}: they must be floating point, (..., n, n)")
    size = maps.shape[-1]
    power = torch.fft.fft2(maps - maps.mean((-2, -1), keepdim=True)).abs().square() / size**4
    frequency = torch.fft.fftfreq(size, 1 / size, device=maps.device, dtype=maps.dtype)
    ring = torch.hypot(frequency[:, None], frequency).round().long().flatten()
    counts = torch.bincount(ring)
    totals = torch.zeros(*maps.shape[:-2], len(counts), dtype=power.dtype, device=maps.device)
    totals.index_add_(-1, ring, power.flatten(-2))
    return torch.arange(len(counts), device=maps.device), totals / counts
