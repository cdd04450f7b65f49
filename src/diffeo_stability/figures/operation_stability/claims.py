import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..claim_measures import (
    Answer,
    Found,
    Measured,
    MissingError,
    Tables,
    changes_by,
    means_by_network,
    measures,
    over_depth,
    rows_of_kind,
    rows_where,
)
from ..drawn_anew import against_init
from ..left_out import noted_without
from ..states import as_shown
from ..words import count_of, listed, number

KINDS = {
    "conv": "convolutions",
    "batchnorm": "batch-norm",
    "relu": "ReLUs",
    "pool": "pooling",
    "average": "averages",
    "linear": "linear maps",
}


def vggs(tables: Tables, state: str) -> pd.DataFrame:
    table = rows_where(as_shown(tables["operation_stability"]), f"nets {state}", state=state)
    return rows_of_kind(table, "vgg", f"VGGs {state}")


def fall_with_depth(rows: pd.DataFrame) -> dict[str, Measured]:
    """By what factor R changes from the first convolution of each net to its last, by the net's name."""
    return over_depth(rows_where(rows, "convolutions", kind="conv"), "R")


@measures("10a")
def falls_with_depth(tables: Tables) -> dict[str, Measured]:
    return fall_with_depth(vggs(tables, "trained"))


@measures("10b")
def falls_more(tables: Tables) -> Found:
    """By what factor R falls over depth, trained over init."""
    which = ["net", "seed", "operation_index"]
    init = vggs(tables, "init")[[*which, "R"]]
    both = vggs(tables, "trained").merge(init, on=which, suffixes=("", "_init"))
    if both.empty:
        raise MissingError("the run has no VGG trained and at init")
    falls = fall_with_depth(both.assign(R=both.R / both.R_init))
    return against_init(noted_without(falls, vggs(tables, "trained").net, "they have no init"), both)


class Change(NamedTuple):
    """What a kind of operation does to a quantity, in a class of nets; an operation counts once, however many seeds there are.

    Attributes:
        found: after / before by network, geometric mean over its operations.
        lowered, operations: how many operations lower it, and of how many.
    """

    found: dict[str, Measured]
    lowered: int
    operations: int

    @property
    def median(self) -> list[Measured]:
        """The net in the middle, or both of them."""
        ordered = sorted(self.found.values())
        middle = (len(ordered) - 1) // 2
        return ordered[middle : len(ordered) - middle]

    @property
    def factor(self) -> float:
        """After / before of the net in the middle; of both of them, the geometric mean."""
        return math.exp(sum(math.log(measured.value) for measured in self.median) / len(self.median))

    @property
    def lowers(self) -> bool:
        return all(measured.high < 1 for measured in self.median)

    @property
    def raises(self) -> bool:
        return all(measured.low > 1 for measured in self.median)


def changes_of_vggs(tables: Tables, state: str) -> dict[tuple[str, str], Change]:
    """What operations do inside the VGGs in a state, by quantity and kind; kinds of one or two operations are left out."""
    table = as_shown(tables["operation_stability_summary"])
    rows = rows_of_kind(rows_where(table, f"nets {state}", state=state), "vgg", f"VGGs {state}")
    operations = vggs(tables, state)
    return {
        (quantity, kind): _change(of_kind, operations, quantity, kind)
        for (quantity, kind), of_kind in rows.dropna(subset="ratio_low").groupby(["quantity", "kind"], sort=False)
    }


def _change(of_kind: pd.DataFrame, operations: pd.DataFrame, quantity: str, kind: str) -> Change:
    """Of rows of the summary about one kind, and of all operations of these nets."""
    those = [rows for net, rows in operations.groupby("net", sort=False) if net in set(of_kind.net)]
    logs = [np.log(changes_by(rows, [kind], quantity)).groupby(level=0).mean() for rows in those]
    lowered = sum(int((of_net < 0).sum()) for of_net in logs)
    return Change(means_by_network(of_kind, "ratio"), lowered, sum(map(len, logs)))


def _of_quantity(changes: dict[tuple[str, str], Change], quantity: str) -> dict[str, Change]:
    return {KINDS.get(kind, kind): change for (name, kind), change in changes.items() if name == quantity}


def in_words(changes: dict[tuple[str, str], Change], quantity: str) -> str:
    """Which kinds of operation lower and raise a quantity in the median net: those whose interval excludes 1."""
    of_quantity = _of_quantity(changes, quantity)
    lower = [f"{kind} ({it.lowered} of {it.operations})" for kind, it in of_quantity.items() if it.lowers]
    higher = [
        f"{kind} ({it.operations - it.lowered} of {it.operations})" for kind, it in of_quantity.items() if it.raises
    ]
    parts = [f"{verb} by {listed(those)}" for verb, those in (("lowered", lower), ("raised", higher)) if those]
    return ", ".join(parts) or "changed by none clearly"


def factors_in_words(tables: Tables, quantity: str) -> str:
    """After / before an operation of each kind, trained and in brackets at init."""
    trained = _of_quantity(changes_of_vggs(tables, "trained"), quantity)
    try:
        init = _of_quantity(changes_of_vggs(tables, "init"), quantity)
    except MissingError:
        init = {}
    return ", ".join(
        f"{kind} {number(change.factor)}" + (f" ({number(init[kind].factor)})" if kind in init else "")
        for kind, change in trained.items()
    )


def has_init(tables: Tables) -> bool:
    return "init" in set(tables["operation_stability"].state)


@measures("10c")
def which_lower_and_raise(tables: Tables) -> Answer:
    changes = changes_of_vggs(tables, "trained")
    if ("D", "conv") not in changes:
        raise MissingError("the run has no trained VGG with several convolutions")
    convolutions = changes["D", "conv"]
    answer = "; ".join(f"{quantity} {in_words(changes, quantity)}" for quantity in "DGR")
    measured = max(convolutions.median, key=lambda one: one.high)  # as claims have it: of two in the middle the worse
    lower = sum(one.value < 1 for one in convolutions.found.values())
    nets = count_of(lower, len(convolutions.found), "VGGs")
    factors = "; ".join(f"{quantity} {factors_in_words(tables, quantity)}" for quantity in "DGR")
    at_init = ", at init in brackets" if has_init(tables) else ""
    return Answer(
        measured,
        answer,
        f"numbers of operations in brackets; convolutions lower D in {nets}; after / before in the median net{at_init}: "
        f"{factors}",
    )
