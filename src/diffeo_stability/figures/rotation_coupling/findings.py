from collections import Counter

import pandas as pd

from ..claim_measures import MissingError, Tables, mean_over_seeds, rows_where
from ..words import count_of, decimals, listed, network, p_value, plural, span, with_interval
from .claims import SMALLEST_FILTER, TURNED, trained_filters

CALLED = {"quarter_turns": "at the best quarter turn", "interpolated": "at the best of all angles"}

SAID_ONE_BY_ONE = 3  # nets
NEITHER = (False, False)
# Whether this way and that, as in ``TURNED``, are above the null
WAYS = {
    (True, True): "both ways",
    **{tuple(kind == one for kind in TURNED): f"{CALLED[one]} alone" for one in TURNED},
    NEITHER: "neither way",
}
_ABOVE = "above 97.5% of what shuffled channels give"
_HELD_FIXED = "With unrotated similarity held fixed, trained coupling correlates with similarity"


def describe_rotation_coupling(tables: Tables) -> str:
    """Whether coupling goes with similarity up to a rotation beyond what similarity as it is explains."""
    summary = tables["rotation_coupling_summary"]
    try:
        trained = trained_filters(tables)
    except MissingError:
        rows_where(summary, "trained nets", state="trained")
        return f"The first filters of this run's nets have fewer than {SMALLEST_FILTER} pixels: nothing can be said of rotations."
    sentences = [
        *(_partial(trained, kind) for kind in TURNED),
        _beyond(trained),
        _seeds(trained),
    ]
    return " ".join(filter(None, sentences))


def _partial(trained: pd.DataFrame, kind: str) -> str:
    """The partial correlation of every net, and its p-value, the largest of several seeds."""
    rows = rows_where(trained, kind, rotations=kind)
    measured = mean_over_seeds(rows, "partial_correlation", ["net"], signed=True)
    largest = rows.groupby("net", sort=False).partial_p_value.max()
    if len(largest) > SAID_ONE_BY_ONE:
        values = span((found.value for found in measured), decimals)
        return f"{_HELD_FIXED} {CALLED[kind]} by {values} in {len(largest)} nets (smallest {p_value(largest.min())})."
    each = [
        f"{with_interval(found, decimals)} in {network(net)} ({p_value(p)})"
        for found, (net, p) in zip(measured, largest.items(), strict=True)
    ]
    return f"{_HELD_FIXED} {CALLED[kind]} by {listed(each)}."


def _beyond(trained: pd.DataFrame) -> str:
    """Which way of turning gives more than shuffled channels do, in every seed: of one net, or in how many."""
    beyond = trained.assign(beyond=trained.partial_correlation > trained.partial_null_high)
    by_way = beyond.groupby(["net", "rotations"], sort=False).beyond.all().unstack()[TURNED]
    total = len(by_way)
    counts = Counter(by_way.itertuples(index=False, name=None))
    if total == 1:
        (case,) = counts
        way = WAYS[case]
        return f"{way[0].upper()}{way[1:]} {'is this' if case == NEITHER else 'this is'} {_ABOVE}."
    found = listed([f"{way} in {count_of(counts[case], total)}" for case, way in WAYS.items() if counts[case]])
    return f"This is {_ABOVE} {found}."


def _seeds(trained: pd.DataFrame) -> str:
    count = trained.seed.nunique()
    return f"Numbers are means over {plural(count, 'seed')}, p-values the largest of them." if count > 1 else ""
