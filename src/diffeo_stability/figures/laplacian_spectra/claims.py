import pandas as pd

from ..claim_measures import Found, MissingError, Tables, mean_gains, measures
from ..drawn_anew import against_init
from ..left_out import noted_without


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
    gains = noted_without(mean_gains(final), final.net, "they have fewer than three convolutions")
    return against_init(gains, final)
