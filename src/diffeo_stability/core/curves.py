r"""How far outputs move against the norm r of a perturbation: noise, deformations, and the way to another image.

D(r) and G(r) grow as :math:`r^2` where the function is linear. The maximum of :math:`G / r^2`, where it rises above that
level, is the bump of the October 2021 deck, at :math:`r^*`.
"""

import itertools
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .bootstrap import bootstrap_means, percentile_interval
from .deformation import Interpolation, deform_with, temperature_from_displacement
from .distances import DistanceAccumulator, Distances
from .errors import InputError
from .images import Images, batches_of
from .look import PILOT_IMAGES
from .operations import evaluating
from .perturbations import norms_of, unit_noise
from .set_statistics import BatchNorm, set_normalised

SOLVER_TOLERANCE = 1e-3  # of the logarithm of the displacement
REACHED = 0.01  # relative error of a norm
SMALLEST_DISPLACEMENT = 1e-5  # pixels; below it single precision, or the blur of Gaussian interpolation, sets the norm
SMALL_NORMS = 10.0  # a decade above the smallest norm, over which the exponent is measured
Perturb = Callable[[Tensor, slice], Iterable[Tensor]]


@dataclass(frozen=True)
class Curve:
    """What perturbations of ascending norms do to one output.

    Attributes:
        distances: under each of M perturbations.
        changed: share of images whose prediction is another one than without perturbation, ``(M,)``.
        error: share misclassified of the images whose class the network has an output for, ``(M,)``.
    """

    distances: Distances
    changed: Tensor
    error: Tensor


def noise_of_norms(norms: list[float], generator: torch.Generator) -> Perturb:
    """Add noise of each norm, in one direction per image."""

    def perturb(images: Tensor, _part: slice) -> Iterator[Tensor]:
        direction = unit_noise(images, generator)
        return (images + norm * direction for norm in norms)

    return perturb


def deformations_of(
    coefficients: Tensor, displacements: list[float], cutoff: int, interpolation: Interpolation
) -> Perturb:
    """Deform by each typical displacement, one field per image: ``coefficients (P, 2, c, c)`` at temperature 1, scaled."""

    def perturb(images: Tensor, part: slice) -> Iterator[Tensor]:
        for displacement in displacements:
            temperature = temperature_from_displacement(displacement, cutoff, images.shape[-1])
            yield deform_with(images, math.sqrt(temperature) * coefficients[part], interpolation)

    return perturb


def mean_displaced_norm(
    images: Images,
    coefficients: Tensor,
    displacement: float,
    *,
    cutoff: int,
    interpolation: Interpolation = "bilinear",
    batch_size: int = 250,
) -> float:
    r"""Return :math:`\langle |\tau x - x| \rangle` at a typical displacement.

    Args:
        images: ``(P, C, n, n)``.
        coefficients: of one field per image at temperature 1, ``(P, 2, c, c)``.
        displacement: pixels.
    """
    perturb = deformations_of(coefficients, [displacement], cutoff, interpolation)
    total = 0.0
    for part, x in batches_of(images, batch_size):
        total += sum(float(norms_of(deformed - x).sum()) for deformed in perturb(x, part))
    return total / len(images)


def displacements_of_norms(
    images: Images,
    coefficients: Tensor,
    norms: list[float],
    *,
    cutoff: int,
    interpolation: Interpolation = "bilinear",
    batch_size: int = 250,
) -> list[float]:
    r"""Return the typical displacement in pixels at which :math:`\langle |\tau x - x| \rangle` is each of the norms.

    Arguments are those of :func:`mean_displaced_norm`. The norm grows with the displacement until the images are
    scrambled; a norm that no displacement up to the image's width reaches to within 1% gives NaN, as do norms below what
    Gaussian interpolation does to images however little it displaces them.
    """

    def norm_at(displacement: float) -> float:
        return mean_displaced_norm(
            images, coefficients, displacement, cutoff=cutoff, interpolation=interpolation, batch_size=batch_size
        )

    ends = _norms_at_halvings(norm_at, float(images.shape[-1]), min(norms))
    return [_displacement_of_norm(norm_at, norm, ends) for norm in norms]


def _norms_at_halvings(norm_at: Callable[[float], float], largest: float, norm: float) -> list[tuple[float, float]]:
    """Displacements with their norms, ascending: the largest, halved until the norm is below the one given, or too small."""
    displacement = largest
    found = [(displacement, norm_at(displacement))]
    while found[-1][1] >= norm and displacement > SMALLEST_DISPLACEMENT:
        displacement /= 2
        found.append((displacement, norm_at(displacement)))
    return found[::-1]


def _displacement_of_norm(norm_at: Callable[[float], float], norm: float, ends: Sequence[tuple[float, float]]) -> float:
    """Where between two of the ends the norm is reached; NaN if it is not."""
    from scipy.optimize import brentq  # most of a second to import, which every measurement would wait for

    for (low, norm_low), (high, norm_high) in itertools.pairwise(ends):
        if norm_low < norm <= norm_high:
            log_displacement = brentq(
                lambda log: math.log(max(norm_at(math.exp(log)), sys.float_info.min) / norm),
                math.log(low),
                math.log(high),
                xtol=SOLVER_TOLERANCE,
            )
            displacement = math.exp(log_displacement)
            # With nearest-pixel interpolation, small norms are jumped over
            return displacement if abs(norm_at(displacement) / norm - 1) < REACHED else math.nan
    return math.nan


OUTPUTS = {"logits": lambda logits: logits, "softmax": lambda logits: logits.double().softmax(1)}


class _CurveAccumulator:
    """Gathers the curves of one perturbation a batch at a time, one for each of ``OUTPUTS``.

    Args:
        pilot: logits of a few images, see :class:`DistanceAccumulator`.
    """

    def __init__(self, pilot: Tensor):
        self._distances = {
            output: DistanceAccumulator(transform(pilot).mean(0, dtype=torch.float64))
            for output, transform in OUTPUTS.items()
        }
        self._changed: list[Tensor] = []
        self._wrong: list[Tensor] = []

    def add(self, logits: Tensor, moved: Sequence[Tensor], labels: Tensor) -> None:
        """Take the logits ``(B, classes)`` of images as they are and at each norm, and the labels ``(B,)``."""
        for output, transform in OUTPUTS.items():
            self._distances[output].add(transform(logits), *map(transform, moved))
        predicted = torch.stack([perturbed.argmax(1) for perturbed in moved])
        self._changed.append(predicted != logits.argmax(1))
        known = labels < logits.shape[1]
        self._wrong.append((predicted != labels)[:, known])

    def result(self) -> dict[str, Curve]:
        """Return the curves of all images taken so far, by output."""
        changed, wrong = (torch.cat(batches, dim=1).double().mean(1).cpu() for batches in (self._changed, self._wrong))
        curves = {}
        for output, accumulator in self._distances.items():
            distances = accumulator.result()
            distances.check()
            curves[output] = Curve(distances, changed, wrong)
        return curves


@torch.no_grad()
def measure_curves(
    network: nn.Module,
    images: Images,
    labels: Tensor,
    perturbations: Callable[[], Mapping[str, Perturb]],
    *,
    batch_size: int = 250,
    batch_norm: BatchNorm = "running",
) -> dict[tuple[str, str], Curve]:
    """Measure logits and softmax probabilities under perturbations, in one pass over the images.

    Args:
        images: ``(P, C, n, n)``; labels: ``(P,)``.
        perturbations: returns, by name, functions that give a batch of images with perturbations of ascending norms: the same
            ones each time.
        batch_norm: as of :func:`relative_stability`; a set is the images under one perturbation of one norm.

    Returns:
        A curve for each name of a perturbation and each output, ``logits`` or ``softmax``.
    """

    def sets() -> Iterator[Iterator[Tensor]]:
        perturb_all = perturbations()
        for part, x in batches_of(images, batch_size):
            yield itertools.chain((x,), *(perturb(x, part) for perturb in perturb_all.values()))

    with evaluating(network), set_normalised(network, batch_norm, sets, len(images)) as forward:
        pilot = forward(images[:PILOT_IMAGES].clone(), 0)
        perturb_all = perturbations()
        accumulators = {name: _CurveAccumulator(pilot) for name in perturb_all}
        for part, x in batches_of(images, batch_size):
            logits = forward(x.clone(), 0)  # a network may change its input in place
            number = itertools.count(1)
            for name, perturb in perturb_all.items():
                moved = [forward(perturbed, next(number)) for perturbed in perturb(x, part)]
                accumulators[name].add(logits, moved, labels[part])
    return {
        (name, output): curve
        for name, accumulator in accumulators.items()
        for output, curve in accumulator.result().items()
    }


def resample(distances: Distances, resamples: int, generator: torch.Generator) -> Tensor:
    """Return normalised distances of bootstrap samples of the images, ``(M, resamples)``."""
    means = bootstrap_means(torch.cat((distances.moved, distances.spread[None])), resamples, generator)
    return means[:-1] / distances.between_images(means[-1])


def peak(norms: Tensor, curves: Tensor, top: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return where each curve of ``(M, N)`` over ascending norms ``(M,)`` is largest, and its value there, ``(N,)`` each.

    Between the norms by a parabola through the logarithms at the largest value and its neighbours; at either end as it is.

    Args:
        top: which of the norms to look around, ``(N,)``, if not the one where the curve is largest.
    """
    log_norms, log_curves = norms.log(), curves.log()
    last = len(norms) - 1
    top = log_curves.argmax(0) if top is None else top
    middle = top.clamp(1, last - 1)
    left, centre, right = (log_curves.gather(0, (middle + step)[None])[0] for step in (-1, 0, 1))
    x_left, x_centre, x_right = (log_norms[middle + step] for step in (-1, 0, 1))
    # Newton's form of the parabola: left + rise (x - x_left) + curvature (x - x_left) (x - x_centre)
    rise = (centre - left) / (x_centre - x_left)
    curvature = ((right - centre) / (x_right - x_centre) - rise) / (x_right - x_left)
    interior = (top == middle) & (curvature < 0)
    x_vertex = (x_left + x_centre) / 2 - rise / (2 * curvature)
    vertex = left + rise * (x_vertex - x_left) + curvature * (x_vertex - x_left) * (x_vertex - x_centre)
    # At an end exactly the norm there, which a logarithm and back is not
    heights = torch.where(interior, vertex.exp(), curves.gather(0, top[None])[0])
    return torch.where(interior, x_vertex.exp(), norms[top]), heights


def _lowest_before_higher(top: Tensor, side: Tensor) -> Tensor:
    """Lowest value on the way down from a top ``(N,)`` to one side, ``(M, N)`` from the top on, before it gets higher."""
    passed = (side > top).long().cummax(0).values.bool()
    return side.masked_fill(passed, math.inf).amin(0)


def prominences(curves: Tensor) -> Tensor:
    """Return by what factor each interior value of positive curves ``(M, N)`` stands out, ``(M - 2, N)``: 1 if it is no maximum.

    That is topographic prominence in logarithms: the value over the higher of the two lowest ones between it and higher values,
    or the ends, on either side.
    """
    logs = curves.log()
    found = []
    for place in range(1, len(logs) - 1):
        top = logs[place]
        left, right = (_lowest_before_higher(top, side) for side in (logs[:place].flip(0), logs[place + 1 :]))
        found.append((top - torch.maximum(left, right)).clamp_min(0).exp())
    return torch.stack(found)


def bumps(norms: Tensor, curves: Tensor, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return place, height and prominence of the most prominent interior maximum of each curve ``(M, N)``, ``(N,)`` each.

    Where none stands out by more than the tolerance, place and height are those of the curve's largest value, which may lie at an
    end. The prominence is 1 where there is no interior maximum.
    """
    prominence, inside = prominences(curves).max(0)
    top = torch.where(prominence > 1 + tolerance, inside + 1, curves.argmax(0))
    place, height = peak(norms, curves, top)
    return place, height, prominence


def slope(norms: Tensor, curves: Tensor) -> Tensor:
    """Return the least-squares exponents b of ``curve ~ r^b``, ``(N,)``, for curves ``(M, N)``."""
    x = norms.log() - norms.log().mean()
    return (x[:, None] * curves.log()).sum(0) / x.square().sum()


def summarise(norms: list[float], distances: Tensor, resampled: Tensor, tolerance: float) -> dict[str, float | bool]:
    r"""Return linear regime and bump of a curve over ascending norms.

    Args:
        distances: ``(M,)``; resampled: ``(M, resamples)``, the same for bootstrap samples of the images.
        tolerance: relative departure of :math:`G / r^2` from its value at the smallest norm that still counts as none.

    Returns:
        ``exponent`` over the smallest decade of norms, three of them at least; ``level`` of :math:`G / r^2` at the smallest
        norm; ``linear_until``, the largest norm up to which it stays within the tolerance; of its most prominent interior
        maximum ``bump_r``, where it is, ``bump_height``, its value there over the level, and ``prominence``, by what factor it
        stands out from either side (1: there is none; see :func:`prominences`); ``rise``, the largest value over the level,
        wherever it lies, and ``rise_r``, where that is; with 95% intervals; and whether it has a ``bump``: a maximum higher than
        the level and more prominent than the tolerance, intervals included. Where no interior maximum is that prominent,
        ``bump_r`` and ``bump_height`` are those of its largest value.
    """
    r = torch.tensor(norms, dtype=torch.float64)
    ratio, ratios = (distances / r**2)[:, None], resampled / r[:, None] ** 2
    linear = ((ratio / ratio[0] - 1).abs() <= tolerance).long().cumprod(0).sum()
    small = r <= SMALL_NORMS * r[0] * (1 + 1e-9)
    small[:3] = True

    def numbers_of(curves: Tensor) -> dict[str, Tensor]:
        place, height, prominence = bumps(r, curves, tolerance)
        return {
            "exponent": slope(r[small], (curves * r[:, None] ** 2)[small]),
            "bump_r": place,
            "bump_height": height / curves[0],
            "prominence": prominence,
            "rise": curves.amax(0) / curves[0],
            "rise_r": r[curves.argmax(0)],
        }

    summary: dict[str, float | bool] = {"level": float(ratio[0]), "linear_until": float(r[linear - 1])}
    sampled = numbers_of(ratios)
    for name, value in numbers_of(ratio).items():
        low, high = percentile_interval(sampled[name])
        # Ripples of samples are maxima too, and may all stand out more than those of the curve itself
        summary |= {name: float(value), f"{name}_low": float(min(low, value)), f"{name}_high": float(max(high, value))}
    return summary | {"bump": min(summary["bump_height_low"], summary["prominence_low"]) > 1 + tolerance}


def norm_of_share(norms: Sequence[float], shares: Sequence[float], share: float) -> float:
    """Return the smallest norm at which a share is reached, between ascending norms linearly in their logarithm.

    Args:
        shares: at each of the norms, 0 to 1.

    Returns:
        The smallest of the norms if the share is larger there already; NaN if it is never reached.
    """
    reached = next((place for place, value in enumerate(shares) if value >= share), None)
    if reached is None:
        return math.nan
    if reached == 0:
        return norms[0]
    below, above = shares[reached - 1], shares[reached]
    fraction = (share - below) / (above - below)
    return norms[reached - 1] * (norms[reached] / norms[reached - 1]) ** fraction


def log_spaced(smallest: float, largest: float, count: int) -> list[float]:
    """Return ``count`` numbers in geometric progression."""
    return [smallest * (largest / smallest) ** (k / (count - 1)) for k in range(count)]


def partners(count: int, generator: torch.Generator) -> Tensor:
    """Return for each of ``count`` images another one, ``(count,)``: its successor in a random cyclic order.

    Raises:
        InputError: there is one image only.
    """
    if count < 2:
        raise InputError(f"images hold {count}: at least 2 are needed, for the direction from one to another")
    order = torch.randperm(count, generator=generator)
    partner = torch.empty_like(order)
    partner[order] = order.roll(-1)
    return partner


def mean_norms(images: Images, batch_size: int = 250) -> tuple[float, float]:
    """Return the mean norm of images, and that of their contrast: of each image with the mean of each of its channels removed."""
    norms, contrasts = 0.0, 0.0
    for _, x in batches_of(images, batch_size):
        norms += float(norms_of(x).sum())
        contrasts += float(norms_of(x - x.mean((2, 3), keepdim=True)).sum())
    return norms / len(images), contrasts / len(images)


def towards(images: Images, partner: Tensor, norms: list[float]) -> Perturb:
    """Move by each norm from each image straight towards its partner, and past it where the norm is larger."""

    def perturb(batch: Tensor, part: slice) -> Iterator[Tensor]:
        # Partners lie anywhere: pick them one by one, so that only a batch of them is in memory
        others = torch.cat([images[int(index) : int(index) + 1] for index in partner[part]])
        direction = others - batch
        lengths = norms_of(direction)
        if (lengths == 0).any():
            raise InputError("two of the images are the same: there is no direction from one to the other")
        direction = direction / lengths.to(batch.dtype)[:, None, None, None]
        return (batch + norm * direction for norm in norms)

    return perturb


def mean_distance(images: Images, partner: Tensor) -> float:
    """Return the mean distance between images and their partners."""
    pairs = enumerate(partner.tolist())
    return sum(float(norms_of(images[j : j + 1] - images[i : i + 1])) for i, j in pairs) / len(images)
