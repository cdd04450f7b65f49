r"""One-dimensional nets that only pool: what depth alone does to their stability to a shift and to noise.

Every layer is a convolution whose weights are all :math:`s / f`, for filters of :math:`f` pixels with stride :math:`s`, and a
ReLU. Inputs have one active pixel, at each place once; the deformation is a shift by one pixel, and noise has its norm. What
grows with depth is the ``scale``: the layer's number :math:`k` at stride 1, as widths of sums of :math:`k` steps do,
and :math:`s^k` where filters are as large as their stride.

Source: Tomasini, Petrini, Cagnetta and Wyart, *How deep convolutional neural networks lose spatial information with training*
(arXiv:2210.01506), its theory, and the code published with it.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .distances import DistanceAccumulator, Distances
from .errors import InputError

# By what is rectified: whether the noisy input is, and whether the layers' outputs are
RECTIFIED = {"everywhere": (True, True), "layers": (False, True), "nowhere": (False, False)}
FLUCTUATIONS = (1 - 1 / math.pi) / 2  # of rectified noise about its mean: their part of G, where maps are long
ELEMENTS_PER_CHUNK = 2**20  # of inputs at a time; they and their maps stay small beside the rest of a process


class AveragingNet(NamedTuple):
    """A net of convolutions with constant filters, zeros padded at both ends of their input as in the source.

    Attributes:
        filter_size: pixels of a filter, f.
        stride: pixels between filters, s.
        layers: convolutions.
        bias: added to every output of a convolution.
    """

    filter_size: int
    stride: int
    layers: int
    bias: float = 0.0

    @property
    def padding(self) -> int:
        return (self.filter_size - 1) // 2

    @property
    def input_length(self) -> int:
        r"""Pixels of its inputs: :math:`f + (f - 1) \sum_{l = 1}^L s^l + 1`, one more than the source's receptive field."""
        return (
            self.filter_size
            + (self.filter_size - 1) * sum(self.stride**layer for layer in range(1, self.layers + 1))
            + 1
        )

    def map_lengths(self, length: int) -> list[int]:
        """Pixels of every layer's map of inputs of ``length`` pixels."""
        lengths = []
        for _ in range(self.layers):
            length = (length + 2 * self.padding - self.filter_size) // self.stride + 1
            lengths.append(length)
        return lengths

    @property
    def scales(self) -> list[int]:
        """What grows with depth, in every layer: its number at stride 1, else that power of the stride."""
        numbers = range(1, self.layers + 1)
        return list(numbers) if self.stride == 1 else [self.stride**number for number in numbers]

    def maps(self, inputs: Tensor, *, rectified: bool = True) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield what every layer makes of inputs ``(B, n)``: before its ReLU and after it, ``(B, n_k)`` each.

        Args:
            rectified: whether there are ReLUs; without, the two are the same.
        """
        weights = inputs.new_full((1, 1, self.filter_size), self.stride / self.filter_size)
        bias = inputs.new_full((1,), self.bias)
        after = inputs
        for _ in range(self.layers):
            before = F.conv1d(after[:, None], weights, bias, stride=self.stride, padding=self.padding)[:, 0]
            after = before.relu() if rectified else before
            yield before, after


class Law(NamedTuple):
    """A power law in the scale."""

    prefactor: float
    exponent: float

    def at(self, scale: float) -> float:
        return self.prefactor * scale**self.exponent

    def over(self, other: "Law") -> "Law":
        return Law(self.prefactor / other.prefactor, self.exponent - other.exponent)


def laws(net: AveragingNet) -> dict[str, Law]:
    r"""Return how distances and stabilities go with the scale :math:`t` in maps that are long and layers that are deep.

    At stride 1 a pixel spreads over a Gaussian of variance :math:`t \sigma^2`, with :math:`\sigma^2 = (f^2 - 1) / 12`: maps of
    two inputs lie :math:`2 \sum p^2 = 1 / (\sigma \sqrt{\pi t})` apart, a shift moves them by
    :math:`\sum p'^2 = 1 / (4 \sqrt{\pi} (\sigma^2 t)^{3/2})`. Where filters are as large as their stride a pixel stays one, and
    changes its place with probability :math:`1 / t`. Rectified noise of squared norm 2 on :math:`n` pixels has the mean
    :math:`\sqrt{1 / (\pi n)}`, which adds up as filters pool, while its fluctuations average out: they add ``FLUCTUATIONS`` to G
    at any depth.

    Returns:
        Laws of ``shift``, ``noise`` and ``between`` (squared distances), and of ``D``, ``G`` and ``R``, their ratios.

    Raises:
        InputError: a stride that is neither 1 nor the filters' size, for which no law is known here.
    """
    if net.stride == 1 and net.filter_size > 1:
        deviation = math.sqrt((net.filter_size**2 - 1) / 12)
        distances = {
            "shift": Law(1 / (4 * math.sqrt(math.pi) * deviation**3), -1.5),
            "noise": Law(1 / math.pi, 0.0),
            "between": Law(1 / (math.sqrt(math.pi) * deviation), -0.5),
        }
    elif net.stride == net.filter_size > 1:
        distances = {"shift": Law(2.0, -1.0), "noise": Law(1 / math.pi, 1.0), "between": Law(2.0, 0.0)}
    else:
        raise InputError(
            f"filters of {net.filter_size} pixels with stride {net.stride}: laws are known for stride 1 and filters of more than "
            "one pixel, and for filters as large as their stride"
        )
    stabilities = {
        "D": distances["shift"].over(distances["between"]),
        "G": distances["noise"].over(distances["between"]),
    }
    return {**distances, **stabilities, "R": stabilities["D"].over(stabilities["G"])}


def one_hot(places: Tensor, length: int) -> Tensor:
    """Return inputs with one active pixel each, at places ``(B,)``: float64 ``(B, length)``."""
    return F.one_hot(places, length).double()


def unit_noise(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """Return isotropic directions for inputs ``(B, n)``, of norm 1."""
    noise = torch.randn(inputs.shape, generator=generator, dtype=inputs.dtype)
    return noise / noise.norm(dim=1, keepdim=True)


def distances_by_layer(
    net: AveragingNet, length: int, generators: Sequence[torch.Generator]
) -> dict[str, list[Distances]]:
    """Measure how far a shift by one pixel and noise of the same norm move the map of every layer, after its ReLU.

    Args:
        length: pixels of the inputs, n. There is one for each place of the active pixel but the last, which has nowhere to go.
        generators: of one draw of noise each; it moves every input in a direction of its own.

    Returns:
        By what is rectified (``RECTIFIED``), distances of every layer, under the shift and then under each draw of noise.
    """
    chunk = max(1, ELEMENTS_PER_CHUNK // (length * (2 + len(generators))))
    accumulators = {
        name: [DistanceAccumulator(torch.zeros(size)) for size in net.map_lengths(length)] for name in RECTIFIED
    }
    for places in torch.arange(length - 1).split(chunk):
        inputs, moved = one_hot(places, length), one_hot(places + 1, length)
        norms = (moved - inputs).norm(dim=1, keepdim=True)
        noisy = [inputs + norms * unit_noise(inputs, generator) for generator in generators]
        for name, (input_rectified, rectified) in RECTIFIED.items():
            seen = torch.cat([inputs, moved, *(one.relu() if input_rectified else one for one in noisy)])
            for accumulator, (_, after) in zip(accumulators[name], net.maps(seen, rectified=rectified), strict=True):
                accumulator.add(*after.split(len(places)))
    return {name: [layer.result() for layer in layers] for name, layers in accumulators.items()}


def noise_stability(net: AveragingNet, norms: Sequence[float], generators: Sequence[torch.Generator]) -> Tensor:
    """Measure G of the last layer, before its ReLU, under noise of each norm, which is not rectified at the input.

    Inputs are as long as in the source (``input_length``), one for each place of the active pixel.

    Args:
        norms: of the noise.
        generators: of one draw of its directions each.

    Returns:
        G by norm and draw, ``(norms, draws)`` float64.
    """
    inputs = one_hot(torch.arange(net.input_length), net.input_length)

    def last(values: Tensor) -> Tensor:
        *_, (before, _) = net.maps(values)
        return before

    accumulator = DistanceAccumulator(torch.zeros(net.map_lengths(len(inputs))[-1]))
    radii = torch.tensor(norms, dtype=inputs.dtype)[:, None, None]
    noisy = (inputs + radii * unit_noise(inputs, generator) for generator in generators)
    moved = [output for batch in noisy for output in last(batch.flatten(0, 1)).split(len(inputs))]
    accumulator.add(last(inputs), *moved)
    return accumulator.result().normalised().view(len(generators), len(norms)).T
