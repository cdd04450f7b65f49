from ...core.resampling import bootstrap_interval
from ..claim_measures import Measured, Tables, measures, rows_where

RESAMPLES = 10_000


def _gabor(tables: Tables, null: str) -> Measured:
    """Mean quality of the fits of trained filters less that of others; filters without variance have none."""
    table = tables["first_layer_filters"].dropna(subset="gabor_r2")
    table = table[table.train_size == table.train_size.max()]
    trained, other = (
        rows_where(table, f"filters: {state}", state=state).gabor_r2.to_numpy() for state in ("trained", null)
    )
    low, high = bootstrap_interval(
        lambda rows, other_rows: trained[rows].mean(1) - other[other_rows].mean(1),
        (len(trained), len(other)),
        RESAMPLES,
        "filters",
        null,
    )
    return Measured(float(trained.mean() - other.mean()), float(low), float(high))


@measures("9a")
def better_than_untrained(tables: Tables) -> Measured:
    """By how much Gabor functions fit trained filters better than untrained ones."""
    return _gabor(tables, "init")


@measures("9b")
def better_than_mixtures(tables: Tables) -> Measured:
    """By how much they fit trained filters better than their random mixtures."""
    return _gabor(tables, "mixture")
