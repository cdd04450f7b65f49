import pandas as pd

from ...networks.catalogue import kinds_of
from ..claim_measures import (
    Found,
    Measured,
    Tables,
    by_network,
    changes_by,
    geometric_mean,
    means_by_network,
    measures,
    quotient,
    rows_of_kind,
    rows_where,
)
from ..drawn_anew import against_init
from ..states import as_shown

CONVOLUTIONS = ["conv", "locallyconnected2d"]
RELUS = ["relu", "relu6"]


def trained_convolutions(tables: Tables) -> pd.DataFrame:
    """Rows of the summary, of convolutions of trained nets that have an init to be compared with."""
    compared = as_shown(tables["activation_spectra_summary"]).dropna(subset="ratio_to_init")
    return rows_where(compared, "trained nets with convolutions and an init", state="trained", kind=CONVOLUTIONS)


def change_by_training(convolutions: pd.DataFrame) -> Measured:
    """Mean of ``ratio_to_init`` over the convolutions of a net; that of a single one has the interval of its own."""
    if convolutions.operation_index.nunique() == 1:
        return next(iter(means_by_network(convolutions, "ratio_to_init").values()))
    return geometric_mean(convolutions.set_index("operation_index").ratio_to_init)


def change_by_relus(tables: Tables, kind: str, what: str) -> dict[str, Measured]:
    """Mean wavenumber after over before a ReLU, mean over the ReLUs of trained nets of a kind that are plain sequences."""
    table = rows_where(as_shown(tables["activation_spectra_summary"]), "trained nets", state="trained")
    sequences = rows_of_kind(rows_of_kind(table, kind, what), "sequence", f"{what} that are plain sequences")
    return by_network(sequences, lambda rows: geometric_mean(changes_by(rows, RELUS, "mean_wavenumber")))


@measures("8a", "training")
def deep_nets(tables: Tables) -> Found:
    rows = _of_deep_nets(tables)
    return against_init(by_network(rows, change_by_training), rows)


@measures("8a", "relu")
def relus_of_deep_nets(tables: Tables) -> dict[str, Measured]:
    return change_by_relus(tables, "deep", "deep nets")


@measures("8b")
def one_convolution_over_deep(tables: Tables) -> Found:
    """What training does to nets of one convolution over what it does to deep ones."""
    deep, shallow = _of_deep_nets(tables), _of_one_convolution(trained_convolutions(tables))
    mean = _mean_over_nets(by_network(deep, change_by_training))
    ratios = {name: quotient(value, mean) for name, value in by_network(shallow, change_by_training).items()}
    return against_init(ratios, pd.concat([shallow, deep]))


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


def _mean_over_nets(found: dict[str, Measured]) -> Measured:
    """Geometric mean over nets with its t interval; a single net has its own."""
    if len(found) == 1:
        return next(iter(found.values()))
    return geometric_mean(pd.Series({name: measured.value for name, measured in found.items()}))
