"""How well a Gabor function fits trained filters, compared with how well it fits filters of no shape."""

import math

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from ...core.errors import InputError
from ..registry import Collected


def compare_with_nulls(table: pd.DataFrame) -> pd.DataFrame:
    """Compare how well a Gabor function fits trained filters with how well it fits filters of no shape.

    Args:
        table: ``first_layer_filters``; filters without variance are left out.

    Returns:
        One row per network, seed and number of training images: ``net, seed, train_size, filters``; ``p_value`` of the
        one-sided Mann-Whitney U test that trained filters are fitted better than untrained ones, the null. Smooth filters are
        fitted better than rough ones whatever their shape, and by blobs as well as by waves. Hence ``p_value_mixture`` against a
        second null, mixtures of the trained ones, NaN without any; and ``wave_trained``, the share of trained filters whose fit
        has a finite bandwidth.

    Raises:
        InputError: no filters with variance, trained or untrained.
    """
    identity = ["net", "seed", "train_size"]
    rows = []
    for key, filters in table.groupby(identity, sort=False):
        fitted = filters.dropna(subset="gabor_r2")
        trained, init, mixture = (fitted[fitted.state == state] for state in ("trained", "init", "mixture"))
        if trained.empty or init.empty:
            raise InputError(
                f"{', '.join(map(str, key))}: {len(trained)} trained and {len(init)} untrained filters with variance; "
                "the comparison needs both: take the network out of first_layer_filters.networks, or train it otherwise"
            )
        rows.append(
            dict(zip(identity, key, strict=True))
            | {
                "filters": len(trained),
                "p_value": _p_greater(trained.gabor_r2, init.gabor_r2),
                "p_value_mixture": _p_greater(trained.gabor_r2, mixture.gabor_r2) if len(mixture) else math.nan,
                "wave_trained": np.isfinite(trained.bandwidth).mean(),
            }
        )
    return pd.DataFrame(rows)


def _p_greater(values: pd.Series, null: pd.Series) -> float:
    """p-value of the one-sided Mann-Whitney U test that ``values`` exceed ``null``."""
    return float(mannwhitneyu(values, null, alternative="greater").pvalue)


def collect_first_layer_filters(table: pd.DataFrame) -> Collected:
    """Return the fits of all networks, and the comparison of trained filters with their nulls."""
    return Collected(table, compare_with_nulls(table))
