"""How much more stable neurons are to translations than to other transformations, trained against init."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..claim_measures import Measured, MissingError, rows_where, seed_by_seed
from .ways import SIZED_BY

NORMS = ("Frobenius norm", "displacement of the effective field", "change of what neurons see")
EQUAL = dict(zip(SIZED_BY, NORMS, strict=True))
PLACE = ["net", "seed", "layer_index", "transformation", "size_by", "patch_choice"]
RATIO = ["ratio_to_translation", "ratio_low", "ratio_high"]


def gaps(summary: pd.DataFrame, *, estimated: bool = False) -> pd.DataFrame:
    """Return the ratio to translations trained over that at init, for each net, seed, layer, transformation, way and choice.

    Args:
        summary: the table ``neuron_stability_summary``.
        estimated: at init with batch-norm estimated on training images, not with that of the probe images themselves.

    Returns:
        ``gap`` with the ends ``gap_low`` and ``gap_high`` of its 95% interval, that of a ratio of independent numbers, and the
        columns in ``PLACE``. Layers in which a state has no ratio are left out.

    Raises:
        MissingError: no net was measured both trained and at init.
    """
    readings = ["estimated"] if estimated else ["batch", "none"]
    initial = rows_where(summary, "neurons at init", state="init", batch_norm=readings)
    trained = rows_where(summary, "trained neurons", state="trained")
    both = trained[PLACE + RATIO].merge(initial[PLACE + RATIO], on=PLACE, suffixes=("", "_init")).dropna()
    if both.empty:
        raise MissingError("the run has no net with neurons measured both trained and at init")
    errors = [np.log(both[f"ratio_high{state}"] / both[f"ratio_low{state}"]) / 2 for state in ("", "_init")]
    gap, error = both.ratio_to_translation / both.ratio_to_translation_init, np.hypot(*errors)
    return both[PLACE].assign(gap=gap, gap_low=gap * np.exp(-error), gap_high=gap * np.exp(error))


def medians(table: pd.DataFrame, measure: Callable[[pd.Series], Measured]) -> dict[str, dict[str, Measured]]:
    """Return what the median of nets is at each way of equal size, by transformation; of two in the middle, the smaller.

    Args:
        table: as :func:`gaps` returns it, of one choice of patches.
        measure: takes the gap of one seed of a net under one transformation, indexed by layer.

    Returns:
        By what ``EQUAL`` calls a way, then by transformation.

    Raises:
        MissingError: no net has what it takes.
    """
    return {
        words: {
            part: _median(rows, measure)
            for part, rows in rows_where(table, f"neurons at equal {words}", size_by=way).groupby(
                "transformation", sort=False
            )
        }
        for way, words in EQUAL.items()
    }


def _median(rows: pd.DataFrame, measure: Callable[[pd.Series], Measured]) -> Measured:
    found = sorted(seed_by_seed(rows, lambda of_seed: measure(of_seed.set_index("layer_index").gap)).values())
    return found[(len(found) - 1) // 2]
