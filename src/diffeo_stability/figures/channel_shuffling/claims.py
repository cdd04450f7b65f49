import pandas as pd

from ..claim_measures import Found, MissingError, Noted, Tables, means_by_network, measures, rows_where, values_of
from ..drawn_anew import against_init
from ..left_out import noted_without
from ..words import each, listed, network, percent


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


def shares_of(rows: pd.DataFrame, quantity: str) -> dict[str, float]:
    """Share of the gain by net, of those that have one."""
    try:
        found = means_by_network(at_output(rows, quantity), "share", signed=True)
    except MissingError:
        return {}
    return values_of(found)


def what_is_left(rows: pd.DataFrame, quantity: str) -> str:
    """In words, the shares of the gain, and the nets without one."""
    shares = shares_of(rows, quantity)
    without = [network(net) for net in rows.net.unique() if net not in shares]
    if not shares:
        return f"nothing can be said: there is no gain beyond its interval in {listed(without)}"
    return each(shares, percent) + (f" (no gain beyond its interval in {listed(without)})" if without else "")


def _surviving(tables: Tables) -> Found:
    rows = as_claimed(tables["channel_shuffling_summary"])
    gaining = at_output(rows, "D")
    shares = means_by_network(gaining, "share", signed=True)
    counted = noted_without(shares, rows.net, "training gains nothing in log D beyond its interval")
    return against_init(Noted(counted, f"of the gain in log R: {what_is_left(rows, 'R')}"), gaining)


@measures("11a")
def part_is_lost(tables: Tables) -> Found:
    return _surviving(tables)


@measures("11b")
def part_survives(tables: Tables) -> Found:
    return _surviving(tables)
