import pandas as pd

from ..claim_measures import Measured, MissingError, Tables, by_network, mean_gain, measures


def after_training(tables: Tables) -> pd.DataFrame:
    """Rows of each training's last checkpoint, of nets whose init is known."""
    table = tables["laplacian_spectra"]
    final = table[table.epoch == table.groupby(["net", "seed"]).epoch.transform("max")].dropna(subset="ratio")
    if final.empty:
        raise MissingError("the run has no convolutions that could be compared with their init")
    return final


@measures("7")
def smooth_over_rough(tables: Tables) -> dict[str, Measured]:
    return by_network(after_training(tables), mean_gain)
