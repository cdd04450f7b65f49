"""Tidy tables: CSV, one row a number, floats in full precision, written atomically."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from .errors import InputError
from .files import atomic_path


def write_table(table: pd.DataFrame | list[dict], path: str | Path) -> None:
    """Write a table, or its rows, as CSV; reading it back gives the same numbers to the last bit."""
    with atomic_path(path) as partial:
        pd.DataFrame(table).to_csv(partial, index=False, lineterminator="\n")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table.

    Raises:
        InputError: the file is missing, empty or no table.
    """
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"table {path} cannot be read ({error}): delete it and run again, to make it anew") from None


def concatenate(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Return the rows of several tables of the same columns, in order."""
    return pd.concat([read_table(path) for path in paths], ignore_index=True)
