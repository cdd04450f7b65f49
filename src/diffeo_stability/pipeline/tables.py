"""Tidy tables: CSV, one row per number, floats in full precision, written atomically."""

import csv
import io
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pandas as pd

from ..core.errors import InputError, one_line
from ..data.files import atomic_path, open_regular

# Floats are read back to the last bit: what older versions of pandas have to be asked for, newer ones deprecate
OLDER = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
EXACT: dict[str, Any] = {"float_precision": "round_trip"} if OLDER else {}
LARGEST_TABLE = 2**28  # bytes; a million rows are smaller
LONGEST_START = (
    2**16
)  # bytes of the first two rows, which decide what columns there are; a million of them take minutes
# Names that people gave, which may look like numbers or like missing ones: never guess their type
NAMES = ("net", "architecture", "operation", "layer", "label", "prediction", "towards", "claim", "part")


def write_table(table: pd.DataFrame | list[dict], path: str | Path) -> None:
    """Write a table, or its rows, as CSV; reading it back gives the same numbers to the last bit."""
    with atomic_path(path) as partial:
        pd.DataFrame(table).to_csv(partial, index=False, lineterminator="\n")


def read_table(path: str | Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table; names of networks, layers and classes are text, whatever they look like.

    Args:
        columns: those that it must have.

    Raises:
        InputError: the file is missing, empty, too large, no table, or lacks a column.
    """
    try:
        # What is missing is written as nothing at all: NA, nan and null are names
        with open_regular(path) as file:
            _check_size(file, path)
            table = pd.read_csv(file, dtype=dict.fromkeys(NAMES, str), keep_default_na=False, na_values=[""], **EXACT)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"table {path} is not there: correct its name, or have snakemake make it") from None
    except (OSError, ValueError) as error:
        why = one_line(error)
        remedy = "free some memory" if "out of memory" in why else "delete it and run again, to make it anew"
        raise InputError(f"table {path} cannot be read ({why}): {remedy}") from None
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(f"table {path} has rows longer than its first line: delete it and run again, to make it anew")
    if missing := [column for column in columns if column not in table]:
        raise InputError(f"{path} is another table: it has no column {', '.join(missing)}")
    return table


def _check_size(file: BinaryIO, path: str | Path) -> None:
    """Refuse a table with more bytes, or more columns, than any has; it is read from its start again."""
    size = os.fstat(file.fileno()).st_size
    if size > LARGEST_TABLE:
        raise InputError(f"table {path} is larger than {LARGEST_TABLE // 2**20} MiB: refused, no table is")
    start = io.StringIO(file.read(LONGEST_START).decode(errors="replace"), newline="")
    if size > LONGEST_START and len(list(islice(csv.reader(start), 3))) < 3:
        raise InputError(f"table {path} has rows of more than {LONGEST_START // 2} bytes: refused, no table has")
    file.seek(0)


def write_parts(parts: NamedTuple, output: Any) -> None:
    """Write what was measured or collected: a table, a summary and pictures, as far as a job has outputs of these names.

    Args:
        parts: with the attributes ``table``, ``summary`` and, of measurements, ``pictures``.
        output: of Snakemake's own object.
    """
    for name, path in output.items():
        content = getattr(parts, name)
        if name == "pictures":
            from ..data.tensors import save_tensors  # seconds to import, and most jobs have none

            save_tensors(content, path)
        else:
            write_table(content, path)


def concatenate(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Return the rows of several tables of the same columns, in order."""
    return pd.concat([read_table(path) for path in paths], ignore_index=True)
