"""Does the second layer couple first-layer filters that are the same up to a rotation?

Hypothesis 2 of the October 2021 deck, after Poggio and Anselmi, "Visual Cortex and Deep Networks": a network can become
invariant to rotations by having neurons of the second layer that add up rotated copies of one filter of the first.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.bootstrap import resample_counts
from ...core.errors import InputError
from ...core.operations import named_operations
from ...core.seeds import generator_for
from ...data.datasets import Dataset
from ..measuring import describe, networks_by_state
from ..registry import Given, Measured

CHUNK = 2**20  # numbers held at once by a bootstrap or a permutation test


def rotated(filters: Tensor, angle: float) -> Tensor:
    """Turn filters about their centre, counterclockwise.

    Quarter turns are exact. Other angles interpolate bilinearly, and leave only the pixels whose centres lie in the inscribed
    disc, of diameter ``k - 1``: from there a rotation never leaves the filter. The others are 0.

    Args:
        filters: ``(..., k, k)``, floating point.
        angle: degrees.

    Returns:
        ``(..., k, k)``.
    """
    quarters, rest = divmod(angle, 90)
    if rest == 0:
        return torch.rot90(filters, int(quarters), (-2, -1))
    size = filters.shape[-1]
    coordinate = torch.linspace(-1, 1, size, dtype=filters.dtype, device=filters.device)
    y, x = torch.meshgrid(coordinate, coordinate, indexing="ij")
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    # Rows run downwards, so that on the screen this turns what is drawn counterclockwise
    source = torch.stack((cosine * x - sine * y, sine * x + cosine * y), dim=-1)
    turned = F.grid_sample(
        filters.reshape(1, -1, size, size), source[None], mode="bilinear", padding_mode="border", align_corners=True
    )
    return turned.reshape(filters.shape) * _inscribed_disc(size).to(turned)


def _inscribed_disc(size: int) -> Tensor:
    """Whether each pixel's centre lies in the largest disc within the square of the outermost centres: ``(k, k)``."""
    offset = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    return torch.hypot(offset[:, None], offset) <= (size - 1) / 2 + 1e-9


def compared_pixels(size: int, angles: list[float]) -> Tensor:
    """Return which pixels of a filter can be compared at all of the angles, ``(k, k)`` bool: all, or the inscribed disc."""
    if any(angle % 90 for angle in angles):
        return _inscribed_disc(size)
    return torch.ones(size, size, dtype=torch.bool)


def rotation_similarity(filters: Tensor, angles: list[float], compared: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return how alike each pair of filters is once one of them is turned.

    The cosine between filter a and filter b turned by an angle, or a turned and b, at the best angle. The mean over pixels
    of every input channel is removed first: a constant is the same at every angle, and would make copies of any two blobs.
    Quarter turns compare all pixels; if any other angle is among the angles, only those of the inscribed disc are compared.

    Args:
        filters: ``(C, in, k, k)``, floating point.
        angles: degrees.
        compared: which pixels, ``(k, k)`` bool; if not given, see :func:`compared_pixels`.

    Returns:
        The similarity, ``(C, C)``, symmetric, at most 1, and 0 for a constant filter; and the angle by which b is turned to
        look like a, ``(C, C)`` in degrees.
    """
    if compared is None:
        compared = compared_pixels(filters.shape[-1], angles)
    fixed = _directions(filters, compared)
    cosines = torch.stack([fixed @ _directions(rotated(filters, angle), compared).T for angle in angles])
    similarity, best = cosines.max(0)
    angle = torch.tensor(angles, dtype=filters.dtype)[best]
    # Interpolation makes it matter which of the two is turned
    other_way = similarity < similarity.T
    return torch.where(other_way, similarity.T, similarity), torch.where(other_way, -angle.T % 360, angle)


def _directions(filters: Tensor, compared: Tensor) -> Tensor:
    """Compared pixels of each filter without their mean, as vectors of length 1 or 0: ``(C, pixels)``."""
    pixels = filters[..., compared]
    pixels = pixels - pixels.mean(-1, keepdim=True)
    # What rounding leaves of a constant is no direction
    pixels = pixels * (pixels.norm(dim=-1, keepdim=True) > 1e-6 * filters[..., compared].norm(dim=-1, keepdim=True))
    return F.normalize(pixels.flatten(1), dim=1, eps=1e-30)


def coupling_strength(weights: Tensor) -> Tensor:
    """Return how far neurons that read one channel strongly are those that read another strongly.

    Pearson correlation over neurons of the norms of their filters on the two channels. It does not see signs, nor how strong
    a channel is on the whole.

    Args:
        weights: of the second layer, ``(neurons, C, k, k)``.

    Returns:
        ``(C, C)``; 0 for a channel that all neurons read equally.
    """
    strengths = weights.flatten(2).norm(dim=2)
    deviations = strengths - strengths.mean(0)
    deviations = deviations * (deviations.norm(dim=0) > 1e-6 * strengths.norm(dim=0))
    directions = F.normalize(deviations, dim=0, eps=1e-30)
    return directions.T @ directions


class PairCorrelation(NamedTuple):
    """Correlation of two quantities over the pairs of channels, and what it is without a relation between them.

    Attributes:
        correlation: Pearson correlation, or partial correlation.
        correlation_low, correlation_high: its 95% interval, bootstrapped over channels.
        null_low, null_median, null_high: 2.5%, 50% and 97.5% of the correlations with shuffled channels.
        p_value: one-sided, of a correlation at least as high.
        pairs, permutations: their numbers.
    """

    correlation: float
    correlation_low: float
    correlation_high: float
    null_low: float
    null_median: float
    null_high: float
    p_value: float
    pairs: int
    permutations: int


def correlate_pairs(
    similarity: Tensor,
    coupling: Tensor,
    held_fixed: Tensor | None = None,
    *,
    permutations: int,
    resamples: int,
    generator: torch.Generator,
) -> PairCorrelation:
    """Correlate two symmetric matrices over their pairs of different channels, with a Mantel test.

    The null shuffles the channels of ``coupling``, rows and columns together, so that what pairs of one channel have in
    common is kept. The bootstrap draws channels; pairs of a channel with a copy of itself are left out. As every drawn
    channel brings all of its pairs, the noise of single pairs counts more than once, and the interval is rather too wide.

    Args:
        similarity, coupling: ``(C, C)``, C >= 3; the diagonal is not looked at.
        held_fixed: ``(C, C)``, another similarity. If it is given, the partial correlation is returned, of what a linear fit
            to this one leaves of the other two, and the test is a partial Mantel test: shuffles keep both similarities. All
            numbers are NaN if nothing of ``similarity`` or of ``coupling`` is left.
        permutations: of the Mantel test.
        resamples: of the bootstrap.

    Raises:
        InputError: one of the two is the same for all pairs.
    """
    rows, columns = torch.triu_indices(len(similarity), len(similarity), 1)
    x, y = (_centred(matrix[rows, columns]) for matrix in (similarity, coupling))
    if not x.norm() * y.norm() > 1e-12:
        raise InputError("rotation_coupling: all pairs of channels are equally alike or coupled, nothing to correlate")
    z = torch.zeros_like(x) if held_fixed is None else _centred(held_fixed[rows, columns])
    correlation = float(_correlations(x, y, z))
    if math.isnan(correlation):
        return PairCorrelation(*[math.nan] * 7, len(x), permutations)

    matrix = torch.zeros(coupling.shape, dtype=torch.float64)
    matrix[rows, columns] = matrix[columns, rows] = y
    shuffled = []
    for count in _chunks(permutations, len(x)):
        order = torch.rand(count, len(matrix), generator=generator).argsort(1)
        shuffled.append(_correlations(x, matrix[order[:, rows], order[:, columns]], z))
    null = torch.cat(shuffled)
    # A shuffle that changes nothing may differ from the observed one by rounding
    reached = int((null >= correlation - 1e-9).sum())

    sampled = torch.cat([_resampled(x, y, z, rows, columns, count, generator) for count in _chunks(resamples, len(x))])
    low, high = _interval(sampled, (0.025, 0.975))
    null_low, null_median, null_high = _interval(null, (0.025, 0.5, 0.975))
    p_value = (1 + reached) / (1 + permutations)
    return PairCorrelation(correlation, low, high, null_low, null_median, null_high, p_value, len(x), permutations)


def _centred(values: Tensor) -> Tensor:
    values = values.double()
    return values - values.mean()


def _correlations(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Correlations of ``x (pairs,)`` with ``y (..., pairs)``, ``z (pairs,)`` held fixed, all centred: ``(...,)``; NaN if a fit
    to z leaves nothing. Nothing is held fixed where z is 0."""
    direction = F.normalize(z, dim=0, eps=1e-30)
    rest = x - (x @ direction) * direction
    left = (y.square().sum(-1) - (y @ direction).square()).clamp(min=0).sqrt()
    nothing_left = (left <= 1e-6 * y.norm(dim=-1)) | (rest.norm() <= 1e-6 * x.norm())
    return (y @ rest / (left * rest.norm())).where(~nothing_left, torch.nan)


def _chunks(count: int, numbers_each: int) -> list[int]:
    """Split ``count`` draws into chunks of bounded memory."""
    step = max(1, CHUNK // numbers_each)
    return [min(step, count - start) for start in range(0, count, step)]


def _interval(values: Tensor, quantiles: tuple[float, ...]) -> list[float]:
    return values.nanquantile(torch.tensor(quantiles, dtype=values.dtype)).tolist()


def _resampled(
    x: Tensor, y: Tensor, z: Tensor, rows: Tensor, columns: Tensor, resamples: int, generator: torch.Generator
) -> Tensor:
    """Correlations of x and y, z held fixed, over the pairs of channels drawn with replacement: ``(resamples,)``.

    NaN for under 3 channels.
    """
    channels = int(columns.max()) + 1
    counts = resample_counts(channels, resamples, generator)
    # A pair stands in a resample once for each pair of copies
    weights = counts[:, rows] * counts[:, columns]
    values = torch.stack((x, y, z), dim=1)
    products = (values[:, :, None] * values[:, None]).flatten(1)
    total = weights.sum(1, keepdim=True)
    means, squares = weights @ values / total, (weights @ products / total).unflatten(1, (3, 3))
    covariance = squares - means[:, :, None] * means[:, None]
    (xx, xy, xz), (_, yy, yz), (_, _, zz) = covariance.permute(1, 2, 0)
    zz = torch.where(zz > 0, zz, 1)  # nothing is held fixed
    correlation = (xy - xz * yz / zz) / ((xx - xz**2 / zz) * (yy - yz**2 / zz)).sqrt()
    return correlation.clamp(-1, 1).where((counts > 0).sum(1) >= 3, torch.nan)


def check_network(network: nn.Module, name: str, _dataset: Dataset) -> None:
    """Raise :class:`InputError` if the filters of a network's first two convolutions cannot be compared."""
    try:
        first_two_convolutions(network)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def first_two_convolutions(network: nn.Module) -> tuple[str, Tensor, Tensor]:
    """Return the first convolution's name and weights ``(C, in, k, k)``, and the weights ``(neurons, C, l, m)`` of the next.

    Raises:
        InputError: there are no two, the second does not see every channel of the first, or the filters cannot be compared.
    """
    remedy = "take the network out of rotation_coupling.networks"
    convolutions = [(name, op) for name, op in named_operations(network).items() if isinstance(op, nn.Conv2d)]
    if len(convolutions) < 2:
        raise InputError(f"rotation_coupling needs two convolutions, there are {len(convolutions)}: {remedy}")
    (name, first), (next_name, second) = convolutions[:2]
    if second.groups > 1 or second.in_channels != first.out_channels:
        raise InputError(f"{next_name} does not take all {first.out_channels} channels of {name}: {remedy}")
    height, width = first.kernel_size
    if height != width or width < 3:
        raise InputError(
            f"filters of {name} have {height} x {width} pixels, turning them needs squares of 3 or more: {remedy}"
        )
    if first.out_channels < 4 or second.out_channels < 3:
        raise InputError(
            f"{name} has {first.out_channels} filters and {next_name} {second.out_channels}, at least 4 and 3 are needed: "
            "give the network a larger width"
        )
    return name, first.weight.detach().double(), second.weight.detach().double()


def kinds_of_rotation(angle_step: float) -> dict[str, list[float]]:
    """Return the angles in degrees of each kind of rotation; ``none`` is the plain similarity, to compare with."""
    steps = [angle_step * step for step in range(1, math.ceil(360 / angle_step))]
    return {"none": [0.0], "quarter_turns": [90.0, 180.0, 270.0], "interpolated": steps}


def measure_rotation_coupling(given: Given) -> Measured:
    """Measure rotation similarity and coupling of a training's first-layer filters, at init and trained.

    Returns:
        Rows of the table ``rotation_coupling``, one per pair of channels, and of its summary, one per kind of rotation.
        ``unrotated_similarity`` is that of the filters as they are, over the pixels that the kind compares. With it held fixed
        the summary has the partial correlation of coupling and similarity up to a rotation, and its null, in columns that
        begin with ``partial``; they are NaN for the kind ``none``.

    Raises:
        InputError: a checkpoint that cannot be read, or a network that does not begin with two convolutions.
    """
    rows, summary = [], []
    for state, network, metadata in networks_by_state(given.checkpoints, given.device):
        layer, filters, weights = first_two_convolutions(network)
        coupling = coupling_strength(weights)
        for kind, angles in kinds_of_rotation(given.settings.angle_step).items():
            columns = describe(state, metadata) | {"filter_size": filters.shape[-1], "rotations": kind}
            similarity, angle = rotation_similarity(filters, angles)
            unrotated, _ = rotation_similarity(filters, [0.0], compared_pixels(filters.shape[-1], angles))
            summary.append(columns | _correlation_columns(similarity, coupling, unrotated, given))
            pairs = _pairs(similarity, unrotated, angle, coupling)
            rows += [columns | {"layer": layer} | pair for pair in pairs]
    return Measured(rows, summary)


def _correlation_columns(similarity: Tensor, coupling: Tensor, unrotated: Tensor, given: Given) -> dict[str, float]:
    """Columns of the summary: correlation and partial correlation, from matrices ``(C, C)``."""

    def correlate(held_fixed: Tensor | None) -> PairCorrelation:
        return correlate_pairs(
            similarity,
            coupling,
            held_fixed,
            permutations=given.settings.permutations,
            resamples=given.probe.resamples,
            generator=generator_for("channels", given.probe.seed),
        )

    partial = correlate(unrotated)._asdict()
    same = ("pairs", "permutations")
    return correlate(None)._asdict() | {f"partial_{name}": partial[name] for name in partial if name not in same}


def _pairs(similarity: Tensor, unrotated: Tensor, angle: Tensor, coupling: Tensor) -> list[dict]:
    """Columns of every pair of channels, from matrices ``(C, C)``."""
    return [
        {
            "channel_a": a,
            "channel_b": b,
            "rotation_similarity": float(similarity[a, b]),
            "unrotated_similarity": float(unrotated[a, b]),
            "angle": float(angle[a, b]),
            "coupling": float(coupling[a, b]),
        }
        for a, b in torch.combinations(torch.arange(len(similarity))).tolist()
    ]
