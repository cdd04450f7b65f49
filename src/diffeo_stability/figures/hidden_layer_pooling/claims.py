import pandas as pd

from ..claim_measures import Measured, Tables, means_by_network, measures, quotients, rows_where


def widest(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of each net at its largest width: the one with most channels to pool over."""
    return table[table.width == table.groupby("net").width.transform("max")]


def trained_nets(tables: Tables, *, pooling_space: bool) -> pd.DataFrame:
    """Trained nets at their largest width, whose read-out can pool over space, or reads averages over all of it.

    Raises:
        MissingError: there are none.
    """
    table = rows_where(tables["hidden_layer_pooling"], "trained nets of one hidden layer", state="trained")
    what = (
        "nets whose read-out has places to pool over"
        if pooling_space
        else "net whose read-out pools over channels only"
    )
    return widest(rows_where(table.assign(spatial=table.grid > 1), what, spatial=pooling_space))


def read_out_over_whole(table: pd.DataFrame, quantity: str) -> dict[str, Measured]:
    """D or R of each net with the read-out alone trained, over that of the whole net trained."""
    read_out, whole = (rows_where(table, f"nets trained: {part}", trained_part=part) for part in ("read_out", "all"))
    return quotients(means_by_network(read_out, quantity), means_by_network(whole, quantity))


@measures("12", "R")
def relative_stability(tables: Tables) -> dict[str, Measured]:
    return read_out_over_whole(trained_nets(tables, pooling_space=True), "R")


@measures("12", "D")
def deformation_stability(tables: Tables) -> dict[str, Measured]:
    return read_out_over_whole(trained_nets(tables, pooling_space=True), "D")


@measures("12", "channels")
def by_channels_alone(tables: Tables) -> dict[str, Measured]:
    return read_out_over_whole(trained_nets(tables, pooling_space=False), "D")
