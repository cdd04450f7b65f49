"""The bootstrap over rows of tables, with numpy alone; that of tensors is in :mod:`diffeo_stability.core.bootstrap`."""

from collections.abc import Callable, Sequence

import numpy as np

from .seeds import derive_seed


def bootstrap_interval(
    statistic: Callable[..., np.ndarray], counts: Sequence[int], resamples: int, *purpose: str | int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the 95% percentile interval of a statistic, had other rows of the same kind been drawn.

    ``scipy.stats.bootstrap`` is not used: it refuses samples of one row, and where the statistic of a single resample is not
    defined it gives no interval at all. Here such resamples, whose statistic is NaN, are left out. The same draws serve all
    numbers of a statistic, so that they can be compared with each other, and tables depend on numpy's draws alone.

    Args:
        statistic: takes one array ``(resamples, count)`` of the drawn rows' numbers per sample, and returns one number or
            several of every resample, ``(..., resamples)``.
        counts: rows of each sample; samples are drawn independently of each other.
        resamples: how many are drawn.
        purpose: what the draws are for, see :func:`~diffeo_stability.core.seeds.derive_seed`.

    Returns:
        Lower and upper ends, ``(...,)`` each.
    """
    generator = np.random.default_rng(derive_seed(*purpose))
    picked = [generator.integers(count, size=(resamples, count)) for count in counts]
    low, high = np.nanquantile(statistic(*picked), (0.025, 0.975), axis=-1)
    return low, high
