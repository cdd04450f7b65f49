import numpy as np
import pandas as pd

from ..claim_measures import (
    Measured,
    MissingError,
    Tables,
    by_network,
    geometric_mean,
    measures,
    over_depth,
    rows_where,
)


def trained(tables: Tables) -> pd.DataFrame:
    """Rows of trained nets, of the largest number of training images."""
    rows = rows_where(tables["scale_detection"], "trained nets", state="trained")
    return rows[rows.train_size == rows.train_size.max()]


def smooth_over_rough(tables: Tables) -> dict[str, Measured]:
    """Gain of the constant component over that of the roughest, by net, mean of convolutions."""
    table = tables["scale_detection_summary"]
    rows = table[table.train_size == table.train_size.max()].dropna(subset="ratio")
    if rows.empty:
        raise MissingError("the run has no convolutions")

    def of_net(rows: pd.DataFrame) -> Measured:
        layers = rows.sort_values("eigenvalue").groupby(["layer_index", "seed"]).ratio
        return geometric_mean((layers.first() / layers.last()).droplevel("seed"))

    return by_network(rows, of_net)


def errors(tables: Tables) -> dict[str, float]:
    """Test error of every trained net at the largest number of images, mean over seeds."""
    rows = trained(tables).drop_duplicates(["net", "seed"])
    return {net: float(np.mean(of_net.test_error)) for net, of_net in rows.groupby("net", sort=False)}


@measures("19a")
def deformation_stability_falls(tables: Tables) -> dict[str, Measured]:
    return by_network(trained(tables), lambda rows: over_depth(rows, "D"))


@measures("19b")
def noise_stability_rises(tables: Tables) -> dict[str, Measured]:
    return by_network(trained(tables), lambda rows: over_depth(rows, "G"))


@measures("19c")
def filters_become_smooth(tables: Tables) -> dict[str, Measured]:
    return smooth_over_rough(tables)
