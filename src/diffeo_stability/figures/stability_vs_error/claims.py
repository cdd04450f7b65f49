import pandas as pd

from ...networks.classes import PAPERS
from ..claim_measures import MissingError, Noted, Tables, interval_in_row, measures, rows_where
from ..states import as_shown
from .measurement import REPORTED_FOR

# Of the nets that the claims are about: resamples of a few nets are hardly different from them
FEWEST = len(PAPERS) // 2 + 1


def _fit_of(tables: Tables, quantity: str) -> pd.Series:
    """The row of a quantity of trained nets.

    Raises:
        MissingError: the run has too few of the papers' nets for a claim about them.
    """
    rows = rows_where(as_shown(tables["stability_vs_error"]), "stability of trained nets beside error", state="trained")
    row = rows_where(rows, f"correlation with {quantity}", quantity=quantity).iloc[0]
    if pd.isna(row.correlation):
        raise MissingError(f"the run has {row.reason}")
    if row.networks < FEWEST:
        raise MissingError(
            f"the run has {row.networks} of the papers' {len(PAPERS)} nets, where a claim about them needs {FEWEST}"
        )
    return row


def _with_count(row: pd.Series, name: str) -> Noted:
    return Noted(interval_in_row(row, name), f"{row.networks} of the papers' {len(PAPERS)} nets")


@measures("3a")
def correlation_with_r(tables: Tables) -> Noted:
    """Correlation of log error with log R."""
    return _with_count(_fit_of(tables, "R"), "correlation")


@measures("3b")
def ahead_of_d(tables: Tables) -> Noted:
    """Absolute correlation with log R less that with log D."""
    return _with_count(_fit_of(tables, "D"), "lead_of_R")


@measures("3c")
def ahead_of_g(tables: Tables) -> Noted:
    """Absolute correlation with log R less that with log G."""
    return _with_count(_fit_of(tables, "G"), "lead_of_R")


@measures("3d", "exponent")
def exponent(tables: Tables) -> Noted:
    return _with_count(_fit_of(tables, "R"), "b")


@measures("3d", "prefactor")
def prefactor(tables: Tables) -> Noted:
    """Error at R = 1, of CIFAR-10 alone: another data set has another one."""
    row = _fit_of(tables, "R")
    if row.dataset != REPORTED_FOR:
        raise MissingError("the run has no networks on CIFAR-10")
    return _with_count(row, "a")
