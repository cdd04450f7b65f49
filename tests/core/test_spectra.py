"""Radial spectra of waves, noise and constants; spectra of activations against hand-made networks."""

import copy
import math

import pytest
import torch
from torch import nn

from diffeo_stability import InputError, radial_power_spectrum
from diffeo_stability.core.spectra import modes_of_rings, spectra_by_operation, white_noise_wavenumber


def cosine(size, wavenumber):
    wave = torch.cos(2 * math.pi * wavenumber * torch.arange(size, dtype=torch.float64) / size)
    return wave.expand(size, size)


@pytest.mark.parametrize("size", [16, 17])
@pytest.mark.parametrize("wavenumber", [1, 3, 7])
def test_a_wave_peaks_at_its_wavenumber_along_either_axis(size, wavenumber):
    wave = cosine(size, wavenumber)
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
    for maps in (
        torch.rand(3, 4),
        torch.zeros(4, 4, dtype=torch.uint8),
        torch.rand(0, 4, 4),
        torch.full((4, 4), torch.nan),
    ):
        with pytest.raises(InputError, match="maps have shape|floating point|NaN"):
            radial_power_spectrum(maps)


def test_every_mode_lies_on_one_ring():
    """A 4 x 4 map: 15 modes beside the mean, four of them (+-1, 0), (0, +-1) and four diagonal ones at sqrt(2)."""
    assert modes_of_rings(4).tolist() == [1, 8, 6, 1]
    assert all(modes_of_rings(size).sum() == size**2 and modes_of_rings(size).min() > 0 for size in range(1, 70))
    assert white_noise_wavenumber(4) == pytest.approx((8 + 2 * 6 + 3) / 15)


class _Identity(nn.Module):
    def forward(self, x):
        return x.clone()


def only_operation(images, operation=None, **settings):
    """The spectrum after the only operation of a network, the identity if none is given."""
    return spectra_by_operation(nn.Sequential(operation or _Identity()), images, **settings)["0"]


@pytest.mark.parametrize("wavenumber", [1, 3, 7])
def test_mean_wavenumber_of_waves_is_their_own(wavenumber):
    waves = torch.stack([cosine(16, wavenumber), 3 * cosine(16, wavenumber).T + 5])[:, None]
    spectrum = only_operation(waves)
    assert spectrum.mean_wavenumber == pytest.approx(wavenumber)
    assert spectrum.mean_wavenumber_normalised == pytest.approx(wavenumber)


def test_white_noise_has_the_mean_wavenumber_of_a_flat_spectrum(generator):
    spectrum = only_operation(torch.randn(500, 2, 12, 12, generator=generator))
    assert spectrum.mean_wavenumber == pytest.approx(white_noise_wavenumber(12), rel=0.005)
    torch.testing.assert_close(spectrum.power_normalised, torch.full_like(spectrum.power, 1 / 143), rtol=0.05, atol=0)


def test_spectrum_is_the_mean_over_images_and_channels(generator):
    images = torch.randn(20, 3, 9, 9, generator=generator, dtype=torch.float64)
    spectrum = only_operation(images, batch_size=7)
    _, power = radial_power_spectrum(images)
    torch.testing.assert_close(spectrum.power, power.mean((0, 1))[1:])
    channels = power.mean(0)[:, 1:]
    expected = (channels / (channels * spectrum.modes).sum(1, keepdim=True)).mean(0)
    torch.testing.assert_close(spectrum.power_normalised, expected)
    assert float((spectrum.modes * spectrum.power).sum()) == pytest.approx(
        float(images.var((-2, -1), correction=0).mean())
    )
    assert float((spectrum.modes * spectrum.power_normalised).sum()) == pytest.approx(1)


def test_chunks_of_channels_change_nothing(generator, monkeypatch):
    images = torch.randn(6, 5, 8, 8, generator=generator, dtype=torch.float64)
    whole = only_operation(images)
    monkeypatch.setattr("diffeo_stability.core.spectra.CHUNK", 2 * 6 * 8 * 8)
    chunked = only_operation(images)
    torch.testing.assert_close(chunked.power_normalised, whole.power_normalised, rtol=1e-12, atol=0)
    torch.testing.assert_close(chunked.moments, whole.moments, rtol=1e-12, atol=0)


@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_a_dead_channel_is_counted_and_left_out(bias, generator):
    """A channel of one constant is dead too, whatever float32 leaves of it."""
    images = torch.randn(30, 1, 12, 12, generator=generator)
    convolution = nn.Conv2d(1, 4, 3)
    nn.init.normal_(convolution.weight, generator=generator)
    alive = nn.Conv2d(1, 3, 3)
    with torch.no_grad():
        convolution.weight[1], convolution.bias[1] = 0.0, bias
        alive.weight.copy_(convolution.weight[[0, 2, 3]])
        alive.bias.copy_(convolution.bias[[0, 2, 3]])
    with_dead, without = only_operation(images, convolution), only_operation(images, alive)
    assert (with_dead.dead_channels, with_dead.channels, without.dead_channels) == (1, 4, 0)
    with_dead, without = (only_operation(images.double(), operation.double()) for operation in (convolution, alive))
    assert (with_dead.dead_channels, with_dead.channels, without.dead_channels) == (1, 4, 0)
    torch.testing.assert_close(with_dead.power_normalised, without.power_normalised, rtol=1e-12, atol=0)
    torch.testing.assert_close(with_dead.power, without.power * 3 / 4, rtol=1e-12, atol=0)


def test_the_scale_of_a_channel_changes_power_only(generator):
    images = torch.randn(30, 1, 12, 12, generator=generator, dtype=torch.float64)
    convolution = nn.Conv2d(1, 4, 3, dtype=torch.float64)
    nn.init.normal_(convolution.weight, generator=generator)
    scaled = copy.deepcopy(convolution)
    with torch.no_grad():
        scaled.weight[2] *= 10
        scaled.bias[2] *= 10
    before, after = only_operation(images, convolution), only_operation(images, scaled)
    torch.testing.assert_close(after.power_normalised, before.power_normalised, rtol=1e-12, atol=0)
    assert (after.power > 2 * before.power).all()


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_without_any_power_nothing_is_claimed(value):
    spectrum = only_operation(torch.full((3, 2, 7, 7), value))
    assert spectrum.dead_channels == 2 and spectrum.power.max() < 1e-12
    assert spectrum.power_normalised.isnan().all()
    assert math.isnan(spectrum.mean_wavenumber) and math.isnan(spectrum.mean_wavenumber_normalised)


def test_small_maps_and_vectors_are_left_out():
    network = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(9, 2))
    assert list(spectra_by_operation(network, torch.rand(5, 1, 12, 12))) == ["input", "0"]


def test_bad_settings_and_activations_are_named():
    with pytest.raises(InputError, match="batch_size is 0"):
        only_operation(torch.rand(3, 1, 8, 8), batch_size=0)
    with pytest.raises(InputError, match="NaN or infinite"):
        only_operation(torch.full((3, 1, 8, 8), torch.inf))
