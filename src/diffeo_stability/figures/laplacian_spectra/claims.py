import pandas as pd

from ..claim_measures import Found, MissingError, Tables, by_network, mean_gain, measures
from ..drawn_anew import against_init


def after_training(tables: Tables) -> pd.DataFrame:
    """Rows of each training's last checkpoint, of nets whose init is known."""
    table = tables["laplacian_spectra"]
    final = table[table.epoch == table.groupby(["net", "seed"]).epoch.transform("max")].dropna(subset="ratio")
    if final.empty:
        raise MissingError("the run has no convolutions that could be compared with their init")
    return final


@measures("7")
def smooth_over_rough(tables: Tables) -> Found:
    final = after_training(tables)
    return against_init(by_network(final, mean_gain), final)
