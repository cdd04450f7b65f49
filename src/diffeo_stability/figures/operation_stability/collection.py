"""What each kind of operation does to D, G and R."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ...networks.catalogue import kinds_of
from ..claim_measures import FEWEST, Measured, MissingError, changes_by, geometric_mean
from ..registry import Collected

IDENTITY = ["net", "seed", "state", "batch_norm", "architecture", "imported"]
QUANTITIES = ("D", "G", "R")
COLUMNS = [*IDENTITY, "kind", "quantity", "ratio", "ratio_low", "ratio_high", "operations", "lowered"]


def summarise_kinds(table: pd.DataFrame) -> pd.DataFrame:
    """Compare D, G and R after every operation with what they were before it.

    Args:
        table: ``operation_stability``. Networks that are no plain sequence of operations are left out: their operations may
            read something else than what was computed last.

    Returns:
        One row per network, seed, state, reading of batch-norm, kind of operation and quantity: ``ratio``, the geometric mean
        over operations of after / before, with its 95% t interval over operations, NaN for one or two; ``operations``, how
        many there are; ``lowered``, in how many the quantity fell.
    """
    sequences = table[["sequence" in kinds_of(architecture) for architecture in table.architecture]]
    rows = [
        dict(zip(IDENTITY, key, strict=True)) | row
        for key, operations in sequences.groupby(IDENTITY, sort=False)
        for row in _rows_of(operations)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows_of(operations: pd.DataFrame) -> Iterator[dict]:
    """Rows of one network in one state, by kind and quantity."""
    for kind in operations.kind.unique():
        for quantity in QUANTITIES:
            try:
                ratios = changes_by(operations, [kind], quantity)
            except MissingError:  # the first operation of all has nothing before it
                continue
            mean = geometric_mean(ratios) if len(ratios) >= FEWEST else _without_interval(ratios)
            yield {
                "kind": kind,
                "quantity": quantity,
                "ratio": mean.value,
                "ratio_low": mean.low,
                "ratio_high": mean.high,
                "operations": len(ratios),
                "lowered": int((ratios < 1).sum()),
            }


def _without_interval(ratios: pd.Series) -> Measured:
    return Measured(float(np.exp(np.log(ratios).mean())), math.nan, math.nan)


def collect_operation_stability(table: pd.DataFrame) -> Collected:
    """Return D, G and R of all networks, and what each kind of operation does to them."""
    return Collected(table, summarise_kinds(table))
