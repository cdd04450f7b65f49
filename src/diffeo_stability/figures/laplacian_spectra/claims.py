import pandas as pd

from ..claim_measures import Measured, MissingError, Tables, by_network, geometric_mean, measures


def after_training(tables: Tables) -> pd.DataFrame:
    """Rows of each training's last checkpoint, of nets whose init is known."""
    table = tables["laplacian_spectra"]
    final = table[table.epoch == table.groupby(["net", "seed"]).epoch.transform("max")].dropna(subset="ratio")
    if final.empty:
        raise MissingError("the run has no convolutions that could be compared with their init")
    return final


def gains_by_layer(rows: pd.DataFrame) -> pd.Series:
    """Gain of the constant component over that of the roughest, of one net: indexed by ``layer_index`` and ``seed``."""
    layers = rows.sort_values("eigenvalue").groupby(["layer_index", "seed"]).ratio
    return layers.first() / layers.last()


def mean_gain(rows: pd.DataFrame) -> Measured:
    """The same, mean of layers."""
    return geometric_mean(gains_by_layer(rows).droplevel("seed"))


@measures("7")
def smooth_over_rough(tables: Tables) -> dict[str, Measured]:
    return by_network(after_training(tables), mean_gain)
