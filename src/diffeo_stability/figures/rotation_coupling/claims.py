import pandas as pd

from ..claim_measures import Measured, MissingError, Tables, by_network, mean_over_seeds, measures, rows_where, smallest

SMALLEST_FILTER = 5  # pixels; a smaller one has too few to tell one angle from another
TURNED = ["quarter_turns", "interpolated"]


def trained_filters(tables: Tables) -> pd.DataFrame:
    """Rows of the summary about rotated filters of trained nets whose filters are large enough."""
    table = rows_where(tables["rotation_coupling_summary"], "trained nets", state="trained", rotations=TURNED)
    large = table[table.filter_size >= SMALLEST_FILTER].dropna(subset="partial_correlation")
    if large.empty:
        raise MissingError(f"the run has no first filters of at least {SMALLEST_FILTER} pixels to turn")
    return large


@measures("15")
def beyond_the_null(tables: Tables) -> dict[str, Measured]:
    """Partial correlation less the upper end of its null; of quarter turns and all angles the smaller."""
    table = trained_filters(tables)
    names = ["partial_correlation", "partial_correlation_low", "partial_correlation_high"]
    table = table.assign(**{name: table[name] - table.partial_null_high for name in names})
    return by_network(
        table, lambda rows: smallest(mean_over_seeds(rows, "partial_correlation", ["rotations"], signed=True))
    )
