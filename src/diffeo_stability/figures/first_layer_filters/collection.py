"""How well a Gabor function fits trained filters, compared with how well it fits filters of no shape."""

import math

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from ...core.errors import InputError
from ...core.resampling import bootstrap_interval
from ..registry import Collected
from ..settings import Probe


def compare_with_nulls(table: pd.DataFrame, probe: Probe) -> pd.DataFrame:
    """Compare how well a Gabor function fits trained filters with how well it fits filters of no shape.

    Args:
        table: ``first_layer_filters``; filters without variance are left out.
        probe: its ``seed`` and ``resamples`` are those of the bootstrap over filters.

    Returns:
        One row per network, seed and number of training images: ``net, seed, train_size, filters``; the medians
        ``r2_trained, r2_init``; their ``difference`` with its 95% interval ``difference_low, difference_high``; ``p_value``
        of the one-sided Mann-Whitney U test that trained filters are fitted better than untrained ones, the null;
        ``share_above_null``, of trained filters fitted better than 95% of untrained ones. Smooth filters are fitted better
        than rough ones whatever their shape, and by blobs as well as by waves. Hence a second null, ``r2_mixture,
        p_value_mixture``; and ``wave_trained, wave_init``, the share of filters whose fit has a finite bandwidth. What compares
        with untrained filters is NaN for a network whose init is not known.

    Raises:
        InputError: no filters with variance, trained or untrained.
    """
    identity = ["net", "seed", "train_size"]
    rows = []
    for key, filters in table.groupby(identity, sort=False):
        fitted = filters.dropna(subset="gabor_r2")
        trained, init, mixture = (fitted[fitted.state == state] for state in ("trained", "init", "mixture"))
        if trained.empty or (init.empty and "init" in set(filters.state)):
            raise InputError(
                f"{', '.join(map(str, key))}: {len(trained)} trained and {len(init)} untrained filters with variance; "
                "the comparison needs both: delete this training and run again"
            )
        rows.append(dict(zip(identity, key, strict=True)) | _comparison(trained, init, mixture, probe))
    return pd.DataFrame(rows)


def _comparison(trained: pd.DataFrame, init: pd.DataFrame, mixture: pd.DataFrame, probe: Probe) -> dict[str, float]:
    """The columns of one training: fits of its trained filters against those of both nulls."""
    r2, null, r2_mixture = trained.gabor_r2, init.gabor_r2, mixture.gabor_r2
    low = high = math.nan
    if len(null):
        low, high = _difference_of_medians(r2.to_numpy(), null.to_numpy(), probe)
    return {
        "filters": len(r2),
        "r2_trained": r2.median(),
        "r2_init": null.median(),
        "difference": r2.median() - null.median(),
        "difference_low": low,
        "difference_high": high,
        "p_value": _p_greater(r2, null),
        "share_above_null": (r2 > null.quantile(0.95)).mean() if len(null) else math.nan,
        "r2_mixture": r2_mixture.median(),
        "p_value_mixture": _p_greater(r2, r2_mixture),
        "wave_trained": np.isfinite(trained.bandwidth).mean(),
        "wave_init": np.isfinite(init.bandwidth).mean(),
    }


def _difference_of_medians(left: np.ndarray, right: np.ndarray, probe: Probe) -> tuple[float, float]:
    """95% bootstrap interval of ``median(left) - median(right)``."""
    low, high = bootstrap_interval(
        lambda left_rows, right_rows: np.median(left[left_rows], axis=1) - np.median(right[right_rows], axis=1),
        (len(left), len(right)),
        probe.resamples,
        "filters",
        probe.seed,
    )
    return float(low), float(high)


def _p_greater(values: pd.Series, null: pd.Series) -> float:
    """p-value of the one-sided Mann-Whitney U test that ``values`` exceed ``null``; NaN where one of them is missing."""
    if not (len(values) and len(null)):
        return math.nan
    return float(mannwhitneyu(values, null, alternative="greater").pvalue)


def collect_first_layer_filters(table: pd.DataFrame, probe: Probe) -> Collected:
    """Return the fits of all networks, and the comparison of trained filters with their nulls."""
    return Collected(table, compare_with_nulls(table, probe))
