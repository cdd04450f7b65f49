import pandas as pd

from ...core.resampling import bootstrap_interval
from ..claim_measures import Measured, MissingError, Tables, means_by_network, measures, rows_where

RESAMPLES = 10_000
SMALLEST_FILTER = 9  # pixels, as the deck's; in much smaller ones there is no room for a wave under a Gaussian


def large_filters(tables: Tables) -> pd.DataFrame:
    """Filters with variance of nets whose first filters are large, at most training images."""
    table = tables["first_layer_filters"].dropna(subset="gabor_r2")
    large = table[table.filter_size >= SMALLEST_FILTER]
    if large.empty:
        raise MissingError(f"the run has no first filters of at least {SMALLEST_FILTER} pixels")
    return large[large.train_size == large.groupby("net").train_size.transform("max")]


def excess_over(table: pd.DataFrame, null: str) -> dict[str, Measured]:
    """Mean quality of the fits to trained filters less that to others, by network, with an interval over filters."""
    rows = [
        {"net": net, "seed": seed} | _excess(filters, null)
        for (net, seed), filters in table.groupby(["net", "seed"], sort=False)
        if {"trained", null} <= set(filters.state)
    ]
    if not rows:
        raise MissingError(f"the run has no filters to compare with: {null}")
    return means_by_network(pd.DataFrame(rows), "excess", signed=True)


def _excess(filters: pd.DataFrame, null: str) -> dict[str, float]:
    trained, other = (rows_where(filters, state, state=state).gabor_r2.to_numpy() for state in ("trained", null))
    low, high = bootstrap_interval(
        lambda rows, other_rows: trained[rows].mean(1) - other[other_rows].mean(1),
        (len(trained), len(other)),
        RESAMPLES,
        "filters",
        null,
    )
    return {"excess": trained.mean() - other.mean(), "excess_low": low, "excess_high": high}


@measures("9a")
def better_than_untrained(tables: Tables) -> dict[str, Measured]:
    """By how much Gabor functions fit trained filters better than untrained ones."""
    return excess_over(large_filters(tables), "init")


@measures("9b")
def better_than_mixtures(tables: Tables) -> dict[str, Measured]:
    """By how much they fit trained filters better than their random mixtures."""
    return excess_over(large_filters(tables), "mixture")
