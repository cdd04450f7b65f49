import numpy as np
import pandas as pd

from ...networks.catalogue import kinds_of
from ..claim_measures import (
    FEWEST,
    Found,
    Measured,
    Noted,
    Tables,
    changes_by,
    geometric_mean,
    interval_in_row,
    mean_over_nets,
    measures,
    quotient,
    rows_of_kind,
    rows_where,
    seed_by_seed,
    values_of,
)
from ..drawn_anew import against_init
from ..left_out import noted_without
from ..states import as_shown
from ..words import each, factor, network

CONVOLUTIONS = ["conv", "locallyconnected2d"]
RELUS = ["relu", "relu6"]


def trained_convolutions(tables: Tables) -> pd.DataFrame:
    """Rows of the summary, of convolutions of trained nets that have an init to be compared with."""
    compared = as_shown(tables["activation_spectra_summary"]).dropna(subset="ratio_to_init")
    return rows_where(compared, "trained nets with convolutions and an init", state="trained", kind=CONVOLUTIONS)


def change_by_training(convolutions: pd.DataFrame, fewest: int = FEWEST) -> dict[str, Measured]:
    """Mean of ``ratio_to_init`` over the convolutions of each net that has so many; a single one has the interval of its own."""

    def of_one(of_seed: pd.DataFrame) -> Measured:
        alone = len(of_seed) == 1
        return (
            interval_in_row(of_seed.iloc[0], "ratio_to_init")
            if alone
            else geometric_mean(of_seed.ratio_to_init, fewest)
        )

    return seed_by_seed(convolutions, of_one)


def change_by_relus(tables: Tables, kind: str, what: str, fewest: int = FEWEST) -> dict[str, Measured]:
    """Mean wavenumber after over before a ReLU, mean over the ReLUs of trained nets of a kind that are plain sequences, where
    they have so many."""
    table = rows_where(as_shown(tables["activation_spectra_summary"]), "trained nets", state="trained")
    sequences = rows_of_kind(rows_of_kind(table, kind, what), "sequence", f"{what} that are plain sequences")
    return seed_by_seed(sequences, lambda rows: geometric_mean(changes_by(rows, RELUS, "mean_wavenumber"), fewest))


@measures("8a", "training")
def deep_nets(tables: Tables) -> Found:
    rows = _of_deep_nets(tables)
    found = noted_without(
        change_by_training(rows), rows.net, "they have fewer than three convolutions with maps of at least 4 pixels"
    )
    return against_init(
        Noted(found, f"by depth, of convolutions with maps of at least 4 pixels: {_by_depth(rows)}"), rows
    )


@measures("8a", "relu")
def relus_of_deep_nets(tables: Tables) -> Found:
    some = change_by_relus(tables, "deep", "deep nets", fewest=2)
    return noted_without(change_by_relus(tables, "deep", "deep nets"), some, "they have two ReLUs alone")


@measures("8b")
def one_convolution_over_deep(tables: Tables) -> Found:
    """What training does to nets of one convolution over what it does to the first convolution of deep ones."""
    deep, shallow = _of_deep_nets(tables), _of_one_convolution(trained_convolutions(tables))
    first = deep[deep.operation_index == deep.groupby("net").operation_index.transform("min")]
    over_first, over_all = (_over_deep(shallow, rows) for rows in (first, deep))
    values = values_of(over_all)
    return against_init(
        Noted(over_first, f"over the mean of all convolutions of deep nets: {each(values, factor)}"),
        pd.concat([shallow, deep]),
    )


def _over_deep(shallow: pd.DataFrame, deep: pd.DataFrame) -> dict[str, Measured]:
    mean = mean_over_nets(change_by_training(deep, fewest=2))
    return {name: quotient(value, mean) for name, value in change_by_training(shallow).items()}


def _by_depth(rows: pd.DataFrame) -> str:
    """What training does after the first and the last convolution of each net, and after how many it lowers the wavenumber."""
    by_layer = np.log(rows.ratio_to_init.astype(float)).groupby([rows.net, rows.operation_index]).mean()
    parts = []
    for net in rows.net.unique():
        changes = np.exp(by_layer[net].to_numpy())
        parts.append(
            f"{factor(changes[0])} after the first convolution of {network(net)}, {factor(changes[-1])} after the last, below 1 "
            f"after {(changes < 1).sum()} of {len(changes)}"
        )
    return "; ".join(parts)


def _of_deep_nets(tables: Tables) -> pd.DataFrame:
    return rows_of_kind(trained_convolutions(tables), "deep", "deep nets")


def _of_one_convolution(rows: pd.DataFrame) -> pd.DataFrame:
    counts = rows.groupby("net").operation_index.transform("nunique")
    kinds = rows.architecture.map(kinds_of)
    shallow = [
        "deep" not in of_net and ("one_hidden_layer" in of_net or count == 1)
        for of_net, count in zip(kinds, counts, strict=True)
    ]
    return rows_where(rows.assign(shallow=shallow), "nets of one convolution", shallow=True)
