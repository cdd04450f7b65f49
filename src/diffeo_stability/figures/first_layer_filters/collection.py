"""How well a Gabor function fits trained filters, compared with how well it fits filters of no shape."""

import math

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from ...core.errors import InputError
from ...core.seeds import derive_seed
from ..registry import Collected
from ..settings import Probe


def compare_with_nulls(table: pd.DataFrame, probe: Probe) -> pd.DataFrame:
    """Compare how well a Gabor function fits trained filters with how well it fits filters of no shape.

    Args:
        table: ``first_layer_filters``; filters without variance are left out.
        probe: its ``seed`` and ``resamples`` are those of the bootstrap over filters.

    Returns:
        One row a network, seed and number of training images: ``net, seed, train_size, filters``; the medians
        ``r2_trained, r2_init``; their ``difference`` with its 95% interval ``difference_low, difference_high``; ``p_value``
        of the one-sided Mann-Whitney U test that trained filters are fitted better than untrained ones, the null;
        ``share_above_null``, of trained filters fitted better than 95% of untrained ones. Smooth filters are fitted better
        than rough ones whatever their shape, and by blobs as well as by waves. Hence a second null, ``r2_mixture,
        p_value_mixture``; and ``wave_trained, wave_init``, the share of filters whose fit has a finite bandwidth.

    Raises:
        InputError: no filters with variance, trained or untrained.
    """
    rows = []
    for key, group in table.groupby(["net", "seed", "train_size"], sort=False):
        fitted = group.dropna(subset="gabor_r2")
        states = {state: fitted[fitted.state == state] for state in ("trained", "init", "mixture")}
        trained, null, mixture = (rows_of.gabor_r2 for rows_of in states.values())
        if not (len(trained) and len(null)):
            raise InputError(
                f"{', '.join(map(str, key))}: {len(trained)} trained and {len(null)} untrained filters with variance; "
                "the comparison needs both: delete this training and run again"
            )
        low, high = _difference_of_medians(trained.to_numpy(), null.to_numpy(), probe)
        rows.append(
            {
                **dict(zip(("net", "seed", "train_size"), key, strict=True)),
                "filters": len(trained),
                "r2_trained": trained.median(),
                "r2_init": null.median(),
                "difference": trained.median() - null.median(),
                "difference_low": low,
                "difference_high": high,
                "p_value": _p_greater(trained, null),
                "share_above_null": (trained > null.quantile(0.95)).mean(),
                "r2_mixture": mixture.median(),
                "p_value_mixture": _p_greater(trained, mixture),
                "wave_trained": np.isfinite(states["trained"].bandwidth).mean(),
                "wave_init": np.isfinite(states["init"].bandwidth).mean(),
            }
        )
    return pd.DataFrame(rows)


def _difference_of_medians(left: np.ndarray, right: np.ndarray, probe: Probe) -> tuple[float, float]:
    """95% bootstrap interval of ``median(left) - median(right)``."""
    generator = np.random.default_rng(derive_seed("filters", probe.seed))
    medians = [
        np.median(values[generator.integers(len(values), size=(probe.resamples, len(values)))], axis=1)
        for values in (left, right)
    ]
    low, high = np.quantile(medians[0] - medians[1], (0.025, 0.975))
    return float(low), float(high)


def _p_greater(values: pd.Series, null: pd.Series) -> float:
    """p-value of the one-sided Mann-Whitney U test that ``values`` exceed ``null``."""
    if not (len(values) and len(null)):
        return math.nan
    return float(mannwhitneyu(values, null, alternative="greater").pvalue)


def collect_first_layer_filters(table: pd.DataFrame, probe: Probe) -> Collected:
    """Return the fits of all networks, and the comparison of trained filters with their nulls."""
    return Collected(table, compare_with_nulls(table, probe))
