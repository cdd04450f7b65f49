from ..claim_measures import Measured, Tables, interval_in_row, measures, rows_where


def _correlation(tables: Tables, quantity: str, name: str) -> Measured:
    return interval_in_row(
        rows_where(tables["stability_vs_error"], f"correlation with {quantity}", quantity=quantity).iloc[0], name
    )


@measures("3a")
def correlation_with_r(tables: Tables) -> Measured:
    """Correlation of log error with log R."""
    return _correlation(tables, "R", "correlation")


@measures("3b")
def ahead_of_d(tables: Tables) -> Measured:
    """Correlation with log R less that with log D."""
    return _correlation(tables, "D", "behind_R")


@measures("3c")
def ahead_of_g(tables: Tables) -> Measured:
    """Correlation with log R less that with log G."""
    return _correlation(tables, "G", "behind_R")
