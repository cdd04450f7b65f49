"""Radial power spectra of images and of the activation maps after every operation of a network."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .checks import check_tensor, finite
from .errors import InputError
from .images import Images, batches_of
from .operations import evaluating, observing
from .set_statistics import BatchNorm, set_normalised

INPUT = "input"
SMALLEST_MAP = 4  # pixels along a side; below, there are at most two wavenumbers to tell apart
ROUNDING = 1e-12  # of a channel's mean square: float32 leaves a constant map a variance below this
CHUNK = 2**22  # values transformed at once; bounds memory


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
        InputError: maps that are not square or not floating point, or NaN or infinite numbers in them.
    """
    check_tensor("maps", maps)
    if maps.ndim < 2 or maps.shape[-1] != maps.shape[-2] or maps.numel() == 0:
        raise InputError(f"maps have shape {tuple(maps.shape)}: it must be (..., n, n), and not empty")
    modes = modes_of_rings(maps.shape[-1]).to(maps.device)
    # The transform needs single precision at least
    power = _mode_power(maps.to(torch.promote_types(maps.dtype, torch.float32)))
    mean_power = (_sum_over_rings(power) / modes).to(maps.dtype)
    return torch.arange(len(modes), device=maps.device), finite(mean_power, "the spectrum")


def modes_of_rings(size: int) -> Tensor:
    """Return how many of the ``size^2`` Fourier modes round to each wavenumber ``0, 1, ...``: ``(wavenumbers,)`` int64."""
    return torch.bincount(_rings(size).flatten())


def _rings(size: int) -> Tensor:
    """The wavenumber that each Fourier mode rounds to, ``(size, size)`` int64, in the order of ``fft2``."""
    frequency = torch.fft.fftfreq(size, 1 / size, dtype=torch.float64)
    return torch.hypot(frequency[:, None], frequency).round().long()


def _mode_power(maps: Tensor) -> Tensor:
    """Power of each Fourier mode of maps ``(..., n, n)`` without their mean; its sum over modes is the variance."""
    transformed = torch.view_as_real(torch.fft.fft2(maps - maps.mean((-2, -1), keepdim=True)))
    return transformed.square_().sum(-1) / maps.shape[-1] ** 4


def _sum_over_rings(power: Tensor) -> Tensor:
    """Sum the power of modes ``(..., n, n)`` over each ring: ``(..., wavenumbers)``."""
    ring = _rings(power.shape[-1]).flatten().to(power.device)
    totals = torch.zeros(*power.shape[:-2], int(ring.max()) + 1, dtype=power.dtype, device=power.device)
    return totals.index_add_(-1, ring, power.flatten(-2))


@dataclass(frozen=True)
class MapSpectrum:
    """Radial power spectrum of an operation's maps over many images, without the mean (wavenumber 0).

    Where all channels are dead, ``power_normalised`` and both mean wavenumbers are NaN.

    Attributes:
        map_size: pixels along a side of a map, n.
        channels: number of channels.
        dead_channels: those whose maps are constant for every image.
        wavenumber: ``(K,)``, 1, 2, ... cycles per map width.
        modes: ``(K,)``, number of Fourier modes on each ring.
        power: ``(K,)``, power per mode, mean over the ring, channels and images; ``(modes * power).sum()`` is the mean
            variance of a map.
        power_normalised: ``(K,)``, the same with each channel's spectrum, averaged over images, divided by its sum over all
            modes before the mean over the channels that have any power; ``(modes * power_normalised).sum()`` is 1.
        moments: ``(2, P)``, for each image the power of all modes and channels, weighted by wavenumber and as it is.
    """

    map_size: int
    channels: int
    dead_channels: int
    wavenumber: Tensor
    modes: Tensor
    power: Tensor
    power_normalised: Tensor
    moments: Tensor

    @property
    def mean_wavenumber(self) -> float:
        """Mean wavenumber over all modes, weighted by power; NaN where there is none."""
        weighted, total = self.moments.sum(1)
        return float(weighted / total)

    @property
    def mean_wavenumber_normalised(self) -> float:
        """The same, weighted by normalised power: every channel counts the same."""
        return float((self.wavenumber * self.modes * self.power_normalised).sum())


class SpectrumAccumulator:
    """Gathers a :class:`MapSpectrum` a batch at a time, in float64.

    Holds one spectrum per channel and two numbers per image, however many images there are.
    """

    def __init__(self, channels: int, size: int, device: torch.device | str = "cpu"):
        self._size = size
        self._modes = modes_of_rings(size).double().to(device)
        self._power = torch.zeros(channels, len(self._modes), dtype=torch.float64, device=device)
        self._squared_mean = torch.zeros(channels, dtype=torch.float64, device=device)
        self._moments: list[Tensor] = []

    def add(self, maps: Tensor) -> None:
        """Take the maps ``(B, C, n, n)`` of a batch of images."""
        maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
        step = max(1, CHUNK // maps[:, 0].numel())
        of_images = torch.zeros(len(maps), self._size, self._size, dtype=torch.float64, device=maps.device)
        start = 0
        for part in maps.split(step, dim=1):
            power = _mode_power(part)
            channels = slice(start, start + part.shape[1])
            self._power[channels] += _sum_over_rings(power.sum(0, dtype=torch.float64))
            self._squared_mean[channels] += part.mean((-2, -1)).double().square().sum(0)
            of_images += power.sum(1, dtype=torch.float64)
            start = channels.stop
        by_ring = _sum_over_rings(of_images)
        wavenumber = torch.arange(len(self._modes), dtype=torch.float64, device=maps.device)
        self._moments.append(torch.stack((by_ring @ wavenumber, by_ring.sum(1))).cpu())

    def result(self) -> MapSpectrum:
        """Return the spectrum of all maps taken so far.

        Raises:
            InputError: maps that are NaN or infinite.
        """
        if not self._power.isfinite().all():
            raise InputError("the model gives NaN or infinite activations: they have no spectrum")
        moments = torch.cat(self._moments, dim=1)
        by_channel, modes = self._power[:, 1:].cpu() / moments.shape[1], self._modes[1:].cpu()
        total = by_channel.sum(1, keepdim=True)
        alive = total[:, 0] > ROUNDING * self._squared_mean.cpu() / moments.shape[1]
        return MapSpectrum(
            map_size=self._size,
            channels=len(by_channel),
            dead_channels=int((~alive).sum()),
            wavenumber=torch.arange(1, 1 + len(modes)),
            modes=modes.long(),
            power=by_channel.mean(0) / modes,
            power_normalised=(by_channel[alive] / total[alive]).mean(0) / modes,
            # Of dead channels alone, what is left is rounding
            moments=moments if alive.any() else torch.zeros_like(moments),
        )


@torch.no_grad()
def spectra_by_operation(
    network: nn.Module, images: Images, *, batch_size: int = 250, batch_norm: BatchNorm = "running"
) -> dict[str, MapSpectrum]:
    """Measure the spectrum of the images and of the maps after every named operation, all in one pass over the images.

    Args:
        network: any module on images ``(B, C, n, n)``; it is put into evaluation mode meanwhile.
        images: ``(P, C, n, n)``, on the network's device, scaled as the network expects.
        batch_size: images per forward pass. It bounds memory and changes nothing else.
        batch_norm: as of :func:`relative_stability`.

    Returns:
        One spectrum per operation in order of execution, after that of the images, ``input``; left out are operations whose
        outputs are no square maps of at least 4 pixels along a side.

    Raises:
        InputError: activations that are NaN or infinite, or a ``batch_size`` below 1.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: it must be at least 1")
    accumulators: dict[str, SpectrumAccumulator] = {}

    def take(name: str, maps: Tensor) -> None:
        if not (isinstance(maps, Tensor) and maps.ndim == 4 and SMALLEST_MAP <= maps.shape[-1] == maps.shape[-2]):
            return
        if name not in accumulators:
            accumulators[name] = SpectrumAccumulator(*maps.shape[1:3], maps.device)
        accumulators[name].add(maps)

    def sets() -> Iterator[tuple[Tensor]]:
        return ((batch,) for _, batch in batches_of(images, batch_size))

    with evaluating(network), set_normalised(network, batch_norm, sets, len(images)) as forward:
        if batch_size < len(images):
            forward.prepare(0)
        with observing(network, take):
            for (batch,) in sets():
                take(INPUT, batch)
                forward(batch.clone(), 0)  # a network may change its input in place
    return {name: accumulator.result() for name, accumulator in accumulators.items()}


def white_noise_wavenumber(size: int) -> float:
    """Return the mean wavenumber of white noise on ``size x size`` maps, for scale: smaller maps hold fewer cycles."""
    modes = modes_of_rings(size)[1:]
    return float((torch.arange(1, 1 + len(modes)) * modes).sum() / modes.sum())
