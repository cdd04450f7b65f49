"""Radial spectra of waves, noise and constants."""

import math

import pytest
import torch

from diffeo_stability import InputError, radial_power_spectrum


@pytest.mark.parametrize("size", [16, 17])
@pytest.mark.parametrize("wavenumber", [1, 3, 7])
def test_a_wave_peaks_at_its_wavenumber_along_either_axis(size, wavenumber):
    wave = torch.cos(2 * math.pi * wavenumber * torch.arange(size, dtype=torch.float64) / size).expand(size, size)
    wavenumbers, along_x = radial_power_spectrum(wave)
    _, along_y = radial_power_spectrum(wave.T)
    torch.testing.assert_close(along_x, along_y)
    assert wavenumbers[along_x.argmax()] == wavenumber
    assert along_x.sum() == pytest.approx(float(along_x.max()))


def test_white_noise_is_flat(generator):
    maps = torch.randn(4000, 16, 16, generator=generator, dtype=torch.float64)
    _, power = radial_power_spectrum(maps)
    flat = power[:, 1:].mean(0) * 16**2
    assert power[:, 0].max() < 1e-20
    assert (flat - 1).abs().max() < 0.05


@pytest.mark.parametrize("size", [8, 9])
def test_parseval_holds(size, generator):
    maps = torch.randn(3, 2, size, size, generator=generator, dtype=torch.float64)
    wavenumbers, power = radial_power_spectrum(maps)
    frequency = torch.fft.fftfreq(size, 1 / size)
    counts = torch.bincount(torch.hypot(frequency[:, None], frequency).round().long().flatten())
    assert power.shape == (3, 2, len(wavenumbers))
    torch.testing.assert_close((power * counts).sum(-1), maps.var((-2, -1), correction=0))


def test_bad_maps_are_named():
    for maps in (torch.rand(3, 4), torch.zeros(4, 4, dtype=torch.uint8), torch.rand(0, 4, 4)):
        with pytest.raises(InputError, match="floating point"):
            radial_power_spectrum(maps)
