import pandas as pd

from ..claim_measures import Measured, MissingError, Tables, interval_in_row, measures, rows_where
from ..states import as_shown
from .measurement import REPORTED_FOR


def _fit_of(tables: Tables, quantity: str) -> pd.Series:
    """The row of a quantity of trained nets.

    Raises:
        MissingError: the run has too few of the papers' nets for one.
    """
    rows = rows_where(as_shown(tables["stability_vs_error"]), "stability of trained nets beside error", state="trained")
    row = rows_where(rows, f"correlation with {quantity}", quantity=quantity).iloc[0]
    if pd.isna(row.correlation):
        raise MissingError(f"the run has {row.reason}")
    return row


@measures("3a")
def correlation_with_r(tables: Tables) -> Measured:
    """Correlation of log error with log R."""
    return interval_in_row(_fit_of(tables, "R"), "correlation")


@measures("3b")
def ahead_of_d(tables: Tables) -> Measured:
    """Absolute correlation with log R less that with log D."""
    return interval_in_row(_fit_of(tables, "D"), "lead_of_R")


@measures("3c")
def ahead_of_g(tables: Tables) -> Measured:
    """Absolute correlation with log R less that with log G."""
    return interval_in_row(_fit_of(tables, "G"), "lead_of_R")


@measures("3d", "exponent")
def exponent(tables: Tables) -> Measured:
    return interval_in_row(_fit_of(tables, "R"), "b")


@measures("3d", "prefactor")
def prefactor(tables: Tables) -> Measured:
    """Error at R = 1, of CIFAR-10 alone: another data set has another one."""
    row = _fit_of(tables, "R")
    if row.dataset != REPORTED_FOR:
        raise MissingError("the run has no networks on CIFAR-10")
    return interval_in_row(row, "a")
