import pandas as pd

from ..claim_measures import (
    Measured,
    MissingError,
    Tables,
    by_net,
    change_over_depth,
    geometric_mean,
    largest,
    measure_each,
    measures,
    rows_of_kind,
    rows_where,
    smallest,
)


def _vggs(tables: Tables, state: str) -> list[pd.DataFrame]:
    return by_net(rows_of_kind(rows_where(tables["operation_stability"], f"nets {state}", state=state), "vgg", "VGGs"))


def _fall_with_depth(rows: pd.DataFrame) -> Measured:
    convolutions = rows_where(rows, "convolutions", kind="conv")
    return change_over_depth(convolutions.set_index("operation_index").R)


@measures("10b")
def falls_more(tables: Tables) -> Measured:
    """By what factor R falls over depth, trained over init, in the VGG where that is largest."""
    pairs = zip(_vggs(tables, "trained"), _vggs(tables, "init"), strict=True)
    which = ["seed", "operation_index", "kind"]
    both = (trained.merge(init[[*which, "R"]], on=which, suffixes=("", "_init")) for trained, init in pairs)
    return largest(measure_each(_fall_with_depth, (rows.assign(R=rows.R / rows.R_init) for rows in both)))


def _changes_by(tables: Tables, kind: str) -> list[Measured]:
    """Mean change of R by the operations of a kind, of every trained VGG."""

    def change(rows: pd.DataFrame) -> Measured:
        rows = rows.sort_values("operation_index").set_index("operation_index")
        ratio = (rows.R / rows.groupby("seed").R.shift(1))[rows.kind == kind].dropna()
        if ratio.empty:
            raise MissingError(f"the run has no VGG with the operation {kind}")
        return geometric_mean(ratio)

    return measure_each(change, _vggs(tables, "trained"))


@measures("10a")
def falls_with_depth(tables: Tables) -> Measured:
    """By what factor R falls over depth, in the trained VGG where that is largest."""
    return largest(measure_each(_fall_with_depth, _vggs(tables, "trained")))


@measures("10c")
def largest_change_by_pooling(tables: Tables) -> Measured:
    """Largest mean change of R by pooling."""
    return largest(_changes_by(tables, "pool"))


@measures("10d")
def largest_change_by_convolutions(tables: Tables) -> Measured:
    """Largest mean change of R by convolutions."""
    return largest(_changes_by(tables, "conv"))


@measures("10e")
def smallest_change_by_relus(tables: Tables) -> Measured:
    """Smallest mean change of R by ReLUs."""
    return smallest(_changes_by(tables, "relu"))
