import numpy as np
import pandas as pd

from ..claim_measures import (
    Measured,
    MissingError,
    Tables,
    by_network,
    mean_gain,
    measures,
    over_depth,
    rows_where,
)


def trained(tables: Tables) -> pd.DataFrame:
    """Rows of trained nets, of the largest number of training images."""
    rows = rows_where(tables["scale_detection"], "trained nets", state="trained")
    return rows[rows.train_size == rows.train_size.max()]


@measures("19c")
def smooth_over_rough(tables: Tables) -> dict[str, Measured]:
    """Gain of the constant component over that of the roughest, by net, mean of convolutions."""
    table = tables["scale_detection_summary"]
    rows = table[table.train_size == table.train_size.max()].dropna(subset="ratio")
    if rows.empty:
        raise MissingError("the run has no convolutions")
    return by_network(rows, mean_gain)


def errors(tables: Tables) -> dict[str, float]:
    """Test error of every trained net at the largest number of images, mean over seeds."""
    rows = trained(tables).drop_duplicates(["net", "seed"])
    return {net: float(np.mean(of_net.test_error)) for net, of_net in rows.groupby("net", sort=False)}


@measures("19a")
def deformation_stability_falls(tables: Tables) -> dict[str, Measured]:
    return over_depth(trained(tables), "D")


@measures("19b")
def noise_stability_rises(tables: Tables) -> dict[str, Measured]:
    return over_depth(trained(tables), "G")
