import pandas as pd

from ..claim_measures import Measured, Tables, Ways, change_over_depth, geometric_mean, measures, rows_where
from .gaps import SIZED_BY, gaps, medians


def _over_all_patches(tables: Tables) -> pd.DataFrame:
    return rows_where(gaps(tables["neuron_stability_summary"]), "neurons over all patches", patch_choice="random")


def _ways(found: list[Measured]) -> Ways:
    return Ways({f"equal {words}": of_way for words, of_way in zip(SIZED_BY.values(), found, strict=True)})


@measures("14a")
def gap(tables: Tables) -> Ways:
    """Mean over layers of the trained ratio to translations over that at init: the median one, at each way of equal size."""
    return _ways(medians(_over_all_patches(tables), geometric_mean))


@measures("14b")
def change_of_gap(tables: Tables) -> Ways:
    """By what factor that ratio changes from the first layer to the last: the median one, at each way of equal size."""
    return _ways(medians(_over_all_patches(tables), change_over_depth))
