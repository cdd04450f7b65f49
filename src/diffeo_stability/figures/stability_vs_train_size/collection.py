"""R and test error against the number of training images, as learning curves."""

import pandas as pd

from ...core.errors import InputError
from ..registry import Collected
from ..settings import Probe


def collect_stability_vs_train_size(stability: pd.DataFrame, _probe: Probe) -> Collected:
    """Order rows of the table ``stability`` into one learning curve per network, seed and state.

    Raises:
        InputError: a network, seed and state without exactly one row for each number of training images.
    """
    curve = ["net", "seed", "state"]
    sizes = sorted(set(stability.train_size.tolist()))
    for key, rows in stability.groupby(curve):
        measured = sorted(rows.train_size.tolist())
        if measured != sizes:
            raise InputError(f"{', '.join(map(str, key))}: measured at {measured} training images, others at {sizes}")
    return Collected(stability.sort_values([*curve, "train_size"], kind="stable", ignore_index=True))
