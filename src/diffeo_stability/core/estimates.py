"""D, G and R with their intervals, from how far outputs move under deformation and noise."""

import logging
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from .bootstrap import bootstrap_means, percentile_interval
from .checks import check_whole, is_finite
from .distances import Distances
from .errors import InputError, few
from .outputs import named
from .results import Estimate, RelativeStability

MOST_RESAMPLES = 10**6
logger = logging.getLogger(__name__)


def stability_of(
    distances: Mapping[str, Distances],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> dict[str, RelativeStability]:
    """Return D, G and R of every output from its distances under deformation and noise.

    Args:
        distances: what :func:`measure_distances` returned.
        resamples, confidence, generator: of the bootstrap over images.

    Raises:
        InputError: no outputs, or ones that are NaN, infinite, the same for every image, or not changed by noise.
    """
    if not distances:
        raise InputError("the model has no operation that gives one output per image: there is nothing to measure")
    # One resampling of the images for all outputs
    values = torch.cat([torch.cat((measured.moved, measured.spread[None])) for measured in distances.values()])
    means = bootstrap_means(values, resamples, generator).split(3)
    measured = {
        name: _stability(named(name), of_output, resampled, confidence)
        for (name, of_output), resampled in zip(distances.items(), means, strict=True)
    }
    _warn_of_meaningless(measured)
    return measured


def check_bootstrap(resamples: int, confidence: float) -> None:
    """Raise :class:`InputError` unless both can be those of a bootstrap."""
    check_whole("resamples", resamples, 1, MOST_RESAMPLES)
    if not is_finite(confidence) or not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence!r}: it must lie between 0 and 1, e.g. 0.95")


def _stability(source: str, distances: Distances, means: Tensor, confidence: float) -> RelativeStability:
    """D, G and R with percentile intervals.

    Args:
        source: of the outputs, for errors.
        distances: under deformation, then noise.
        means: bootstrap means ``(3, resamples)`` of both, then of the spread.
    """
    distances.check(source)
    if distances.moved[1].sum() == 0:
        raise InputError(f"{source} gives outputs that do not change with noise: R would divide by zero")

    def with_ratio(values: Tensor) -> Tensor:
        return torch.stack((*values, values[0] / values[1]))

    low, high = percentile_interval(with_ratio(means[:2] / distances.between_images(means[2])), confidence)
    values = with_ratio(distances.normalised())
    if not values.isfinite().all():
        raise InputError(f"{source} gives outputs that hardly change with noise: R is no finite number")
    columns = (values, low, high, with_ratio(distances.medians()))
    estimates = [Estimate(*row) for row in torch.stack(columns, dim=1).tolist()]
    return RelativeStability(*estimates, images=distances.images)


def _warn_of_meaningless(measured: Mapping[str, RelativeStability]) -> None:
    """Say which intervals and medians are no finite numbers, or negative ones, and why."""
    intervals, medians = [], []
    for name, found in measured.items():
        for symbol, estimate in (("D", found.deformation), ("G", found.noise), ("R", found.relative)):
            if not 0 <= estimate.low <= estimate.high < math.inf:
                intervals.append(f"{symbol} of {named(name)}")
            if not math.isfinite(estimate.median):
                medians.append(f"{symbol} of {named(name)}")
    if intervals:
        images = next(iter(measured.values())).images
        logger.warning(
            "the interval of %s means nothing, as it is negative, infinite or NaN: of %d images, a draw with replacement can "
            "hold hardly any different outputs, or none that noise moves; measure on more images",
            *(few(intervals), images),
        )
    if medians:
        logger.warning(
            "the median of %s is infinite or NaN: noise moves the outputs of no more than half of the images",
            few(medians),
        )
