import pandas as pd

from ..claim_measures import Measured, MissingError, Tables, means_by_network, measures, rows_where


def at_output(summary: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Rows about the nets' output, of the nets of which every seed has a gain in D or R that could survive.

    Raises:
        MissingError: there is none.
    """
    rows = rows_where(summary, "shuffled nets", quantity=quantity)
    last = rows[rows.operation_index == rows.groupby("net").operation_index.transform("max")]
    gaining = last[last.share.notna().groupby(last.net).transform("all")]
    if gaining.empty:
        raise MissingError(f"the run has no net whose training gains in {quantity}")
    return gaining


def as_claimed(summary: pd.DataFrame) -> pd.DataFrame:
    """Rows by the statistics that claims are about: of shuffled nets their own, at init those of each set of images."""
    return summary[summary.batch_norm.isin(["re-estimated", "none"]) & summary.init_batch_norm.isin(["batch", "none"])]


def _surviving(tables: Tables) -> dict[str, Measured]:
    return means_by_network(at_output(as_claimed(tables["channel_shuffling_summary"]), "D"), "share", signed=True)


@measures("11a")
def part_is_lost(tables: Tables) -> dict[str, Measured]:
    return _surviving(tables)


@measures("11b")
def part_survives(tables: Tables) -> dict[str, Measured]:
    return _surviving(tables)
