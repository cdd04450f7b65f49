from collections.abc import Callable

import pandas as pd

from ..claim_measures import Found, Measured, Tables, Ways, change_over_depth, geometric_mean, measures, rows_where
from ..drawn_anew import against_init
from .gaps import gaps, medians


def _over_all_patches(tables: Tables) -> pd.DataFrame:
    return rows_where(gaps(tables["neuron_stability_summary"]), "neurons over all patches", patch_choice="random")


def _ways(tables: Tables, measure: Callable[[pd.Series], Measured]) -> Found:
    """What is measured of the gap, by part and way of equal size, and of which nets the init is none of theirs."""
    table, summary = _over_all_patches(tables), tables["neuron_stability_summary"]
    ways = {
        f"equal {words} ({part.replace('_', ' ')})": of_part
        for words, of_way in medians(table, measure).items()
        for part, of_part in of_way.items()
    }
    return against_init(Ways(ways), summary[summary.net.isin(table.net)])


@measures("14a")
def gap(tables: Tables) -> Found:
    """Mean over layers of the trained ratio to translations over that at init, of the median net, by part and way."""
    return _ways(tables, geometric_mean)


@measures("14b")
def change_of_gap(tables: Tables) -> Found:
    """By what factor that ratio changes from the first layer to the last: the median net's, by part and way of equal size."""
    return _ways(tables, change_over_depth)
