"""Which rows of a table figures, claims and captions are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def as_shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that figures show: at init those with batch statistics, as the source's code has them.

    Tables hold beside them what statistics of training images give (``batch_norm`` is ``estimated``).
    """
    return table[table.batch_norm != "estimated"].reset_index(drop=True)
