"""The bootstrap: what a mean would have been with other images, filters or channels of the same kind."""

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK = 100  # resamples at a time


def resample_counts(
    count: int, resamples: int, generator: torch.Generator | None = None, device: torch.device | str | None = None
) -> Tensor:
    """Return how often each of ``count`` items is drawn in each resample, ``(resamples, count)`` float64.

    Drawn on the generator's device, then moved.
    """
    source = generator.device if generator is not None else device
    picked = torch.randint(count, (resamples, count), generator=generator, device=source).to(device)
    counts = torch.zeros(resamples, count, dtype=torch.float64, device=picked.device)
    return counts.scatter_add_(1, picked, torch.ones_like(counts))


def bootstrap_means(values: Tensor, resamples: int, generator: torch.Generator | None = None) -> Tensor:
    """Return means of ``values (M, P)`` over draws of P columns with replacement, the rows together: ``(M, resamples)``."""
    count = values.shape[1]

    def chunks() -> Iterator[Tensor]:
        for start in range(0, resamples, CHUNK):
            # One matrix product serves all rows
            counts = resample_counts(count, min(CHUNK, resamples - start), generator, values.device)
            yield values @ counts.to(values.dtype).T / count

    return torch.cat(list(chunks()), dim=1)


def percentile_interval(
    resampled: Tensor, confidence: float = 0.95, *, skip_undefined: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the ends of the percentile interval over the last axis.

    Args:
        skip_undefined: whether resamples that are NaN or infinite count for nothing; else those that are NaN leave no interval.
    """
    tails = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=resampled.dtype, device=resampled.device)
    if skip_undefined:
        low, high = resampled.where(resampled.isfinite(), torch.nan).nanquantile(tails, dim=-1)
    else:
        low, high = resampled.quantile(tails, dim=-1)
    return low, high
