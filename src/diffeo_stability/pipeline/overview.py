"""The networks of a run at a glance: one row per network, with its errors and its learning curves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

NOTHING = "\N{EN DASH}"
LOWEST = 1e-3  # error at the bottom of a learning curve; 1 is at its top
PLOT = (120.0, 36.0)  # width and height of a learning curve, in its own units
# What tells trainings apart, but for their seed; whether they are usual comes first
APART = ("usual", "network", "dataset", "width", "train_size", "trained_part", "noise", "epochs")
POINTS = 60  # of a line at most: more cannot be seen, and would make pages of many networks large
CURVES = {"train_error": "Training error", "validation_error": "Validation error"}


@dataclass(frozen=True)
class Row:
    """A network's trainings with one or several seeds, in words.

    Attributes:
        name: of the network, as in figures; on which images it is trained if not on the run's, with what noise on them, and which
            part of it if not all.
        architecture, width, epochs, images: of the network and its training; images are those that it is trained on.
        errors: by the images that they are on; of several seeds the mean.
        curves: points of lines, by column of the history: one line per seed.
    """

    name: str
    architecture: str
    width: str
    epochs: str
    images: str
    errors: dict[str, str]
    curves: dict[str, list[str]] = field(default_factory=dict)


def network_rows(
    trainings: Iterable[Mapping[str, Any]],
    histories: Mapping[str, pd.DataFrame],
    tested: pd.DataFrame | None,
) -> tuple[list[Row], list[Row]]:
    """Return a row per network, and a row for each way in which single figures train a network besides.

    Args:
        trainings: as the plan describes them.
        histories: by their path.
        tested: the table ``stability``, which has the test errors of the networks as they are usually trained; nothing if the run
            has no such figure.
    """
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for training in trainings:
        groups.setdefault(tuple(training[key] for key in APART), []).append(training)
    rows = {kind: _row(group, histories, tested if kind[0] else None) for kind, group in groups.items()}
    return [row for kind, row in rows.items() if kind[0]], [row for kind, row in rows.items() if not kind[0]]


def _row(
    trainings: Sequence[Mapping[str, Any]], histories: Mapping[str, pd.DataFrame], tested: pd.DataFrame | None
) -> Row:
    """The row of trainings that differ in nothing but their seed."""
    first = trainings[0]
    tables = [histories[training["history"]] for training in trainings if training["history"]]
    last = pd.DataFrame([table.iloc[-1] for table in tables], columns=list(CURVES))
    final = _tested(first["network"], tested)
    special = [
        first["dataset"] if first["own_images"] else "",
        f"noise {first['noise']:g}" if first["noise"] else "",
        "" if first["trained_part"] == "all" else "read-out alone",
    ]
    size = first["train_size"] or next(iter(final.get("train_size", pd.Series()).dropna()), None)
    return Row(
        ", ".join(filter(None, [first["label"], *special])),
        first["architecture"],
        f"{first['width']:g}",
        str(first["epochs"]) if tables else NOTHING,
        (f"{size:,.0f}" if size else "all") if tables else NOTHING,
        {CURVES[column]: format_error(last[column]) for column in CURVES}
        | {"Test error": format_error(final.get("test_error", ()))},
        {column: [points for table in tables if (points := curve_points(table, column))] for column in CURVES},
    )


def _tested(network: str, table: pd.DataFrame | None) -> pd.DataFrame:
    """Rows of the table ``stability`` on a network in its last state."""
    return pd.DataFrame() if table is None else table[(table.net == network) & (table.state == "trained")]


def format_error(errors: Iterable[float]) -> str:
    """Return shares of misclassified images in percent: their mean over seeds."""
    shares = [share for share in errors if np.isfinite(share)]
    return f"{np.mean(shares):.2%}" if shares else NOTHING


def curve_points(history: pd.DataFrame, column: str) -> str:
    """Return a learning curve as points of an SVG line: epochs from left to right, errors from 1 down on a logarithmic scale.

    Args:
        history: a training's table of errors per epoch.
        column: of the errors; those that are missing are left out.
    """
    rows = history.dropna(subset=[column])
    if rows.empty:
        return ""
    kept = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), POINTS)).round().astype(int))]
    width, height = PLOT
    across = kept.epoch / max(history.epoch.max(), 1) * width
    down = np.log(kept[column].clip(LOWEST, 1)) / np.log(LOWEST) * height
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
