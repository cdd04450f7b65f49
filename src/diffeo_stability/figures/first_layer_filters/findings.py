import pandas as pd

from ..claim_measures import Tables, rows_where, values_of
from ..words import NAMED_AT_MOST, decimals, each, listed, network, p_value, percent, plural, span, with_interval
from .claims import excess_over

STATES = {"init": "untrained", "trained": "trained"}


def describe_first_layer_filters(tables: Tables) -> str:
    """How well Gabor functions fit trained filters, untrained ones and mixtures, and how sure the difference is."""
    table = tables["first_layer_filters"].dropna(subset="gabor_r2")
    table = table[table.train_size == table.groupby("net").train_size.transform("max")]
    trained = rows_where(table, "trained filters", state="trained")
    summary = tables["first_layer_filters_summary"]
    summary = summary[summary.train_size == summary.groupby("net").train_size.transform("max")]
    sentences = [
        f"Of the variance of trained filters, of {_sizes(trained)}, Gabor functions explain {each(_means(trained), percent)} "
        "(mean over filters).",
        _against(table, summary, "init", "p_value", "untrained ones"),
        _against(table, summary, "mixture", "p_value_mixture", "mixtures of the trained ones"),
        _waves(summary),
        _spatial_shares(table),
        _seeds(table),
    ]
    return " ".join(filter(None, sentences))


def _means(table: pd.DataFrame) -> dict[str, float]:
    """Mean over the filters of every net, mean over its seeds."""
    by_seed = table.groupby(["net", "seed"], sort=False).gabor_r2.mean()
    return by_seed.groupby("net", sort=False).mean().to_dict()


def _sizes(trained: pd.DataFrame) -> str:
    return f"{span(trained.filter_size, lambda size: f'{size:.0f}')} pixels"


def _against(table: pd.DataFrame, summary: pd.DataFrame, null: str, p: str, what: str) -> str:
    """By how much trained filters are fitted better than those of a null."""
    found = excess_over(table, null)
    if len(found) <= NAMED_AT_MOST:
        words = listed([f"{with_interval(measured, decimals)} in {network(net)}" for net, measured in found.items()])
    else:
        words = each(values_of(found), decimals)
    values = summary[p].dropna()
    worst = values.max()
    several = " at most" if len(values) > 1 and worst >= 0.001 else ""
    test = f", Mann-Whitney {p_value(worst)}{several}" if len(values) else ""
    return f"Their :math:`R^2` exceeds that of {what} by {words}{test}."


def _waves(summary: pd.DataFrame) -> str:
    """How many fits are waves rather than blobs."""
    share = summary.groupby("net", sort=False).wave_trained.mean().to_dict()
    others = ", the others by blobs" if min(share.values()) < 1 else ""
    return f"Of the trained filters {each(share, percent)} are fitted by waves{others}."


def _spatial_shares(table: pd.DataFrame) -> str:
    """How much of filters with several input channels the component makes up that is shown and fitted."""
    if table.spatial_share.isna().all() or table.spatial_share.min() > 1 - 1e-6:
        return ""
    medians = table.groupby(["state", "net"], sort=False).spatial_share.median()
    said = [f"{each(medians[state].to_dict(), percent)} {words}" for state, words in STATES.items() if state in medians]
    return (
        f"The leading colour x space component makes up, in the median, {listed(said)} of a filter's squared weights."
    )


def _seeds(table: pd.DataFrame) -> str:
    count = table.seed.nunique()
    return f"Numbers are means over {plural(count, 'seed')}, p-values the largest of them." if count > 1 else ""
