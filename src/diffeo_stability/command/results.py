"""What ``diffeo-stability measure`` writes: a table and a plot."""

import csv
import importlib.util
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from ..core.errors import InputError
from ..core.results import RelativeStability, StabilityByOperation
from ..data.files import as_input_error, atomic_path, check_replaceable

PLOTS = (".png", ".pdf", ".svg")
INCHES_PER_OPERATION, HEIGHT = 0.2, 4.5


def check_files(table: Path | None, plot: Path | None) -> None:
    """Check, before anything is measured, that a table and a plot can be written there.

    Raises:
        InputError: one is a folder or device or cannot be written, both are one file, the plot has another ending than those of
            plots, or matplotlib is missing.
    """
    for path in (table, plot):
        if path is not None:
            _check_writable(path)
    if plot is None:
        return
    if table is not None and table.resolve() == plot.resolve():
        raise InputError(f"--csv and --plot are one file, {plot}: give them two names")
    if plot.suffix not in PLOTS:
        raise InputError(f"--plot {plot}: its name must end in {', '.join(PLOTS)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("--plot needs matplotlib, which is not installed: pip install matplotlib")


def _check_writable(path: Path) -> None:
    """Try to write a file beside a path, in the nearest folder above it that is there; nothing is left."""
    try:
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(path.stat().st_mode):
                raise InputError(f"{path} is a folder: name a file in it")
        check_replaceable(path)
        folder = next(folder for folder in path.absolute().parents if folder.exists())
        with NamedTemporaryFile(prefix=f".{path.stem}.", suffix=path.suffix, dir=folder):
            pass
    except OSError as error:
        raise as_input_error(OSError(error.errno, error.strerror), path) from None


def write_csv(measured: StabilityByOperation, path: Path, columns: Mapping[str, object]) -> None:
    """Write a table with a row per operation, floats in full precision.

    Args:
        columns: the same in every row, before the numbers.
    """
    rows = [{**columns, "operation": name, **found.to_dict()} for name, found in measured.items()]
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def draw(measured: StabilityByOperation, path: Path, title: str) -> None:
    """Draw D, G and R after every operation, with their intervals, on a logarithmic axis.

    No ``matplotlibrc`` has a say, which could ask for LaTeX, and names are no mathematics.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    operations = [name.replace("$", r"\$") for name in measured]
    with matplotlib.style.context("default"), atomic_path(path) as partial:
        figure = Figure(figsize=(max(4, INCHES_PER_OPERATION * len(measured)), HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        for name, part in (("D", "deformation"), ("G", "noise"), ("R", "relative")):
            values, below, above = zip(*(_bar(found, part) for found in measured.values()), strict=True)
            axes.errorbar(operations, values, (below, above), fmt=".-", capsize=2, label=f"${name}_f$")
        axes.axhline(1, color="0.5", linewidth=0.8)
        axes.tick_params(axis="x", rotation=90)
        axes.set_yscale("log")
        axes.set_title(title, parse_math=False)
        figure.legend(loc="outside right upper")
        figure.savefig(partial)


def _bar(found: RelativeStability, part: str) -> tuple[float, float, float]:
    """A value, and how far its interval reaches below and above it."""
    estimate = getattr(found, part)
    return estimate.value, max(0.0, estimate.value - estimate.low), max(0.0, estimate.high - estimate.value)
