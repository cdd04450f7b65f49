import pandas as pd

from ..claim_measures import Measured, Tables, change_over_depth, geometric_mean, measures, rows_where
from .gaps import gaps, medians


def _over_all_patches(tables: Tables) -> pd.DataFrame:
    return rows_where(gaps(tables["neuron_stability_summary"]), "neurons over all patches", patch_choice="random")


@measures("14a")
def gap(tables: Tables) -> list[Measured]:
    """Mean over layers of the trained ratio to translations over that at init: the median one, at each way of equal size."""
    return medians(_over_all_patches(tables), geometric_mean)


@measures("14b")
def change_of_gap(tables: Tables) -> list[Measured]:
    """By what factor that ratio changes from the first layer to the last: the median one, at each way of equal size."""
    return medians(_over_all_patches(tables), change_over_depth)
