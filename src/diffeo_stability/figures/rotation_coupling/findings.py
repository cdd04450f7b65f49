import pandas as pd

from ..claim_measures import MissingError, Tables, mean_over_seeds, rows_where
from ..words import count_of, listed, network, p_value, plural, span, with_interval
from .claims import SMALLEST_FILTER, TURNED, trained_filters

CALLED = {"quarter_turns": "at the best quarter turn", "interpolated": "at the best of all angles"}

SAID_ONE_BY_ONE = 3  # nets
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
        values = span((found.value for found in measured), _signed)
        return f"{_HELD_FIXED} {CALLED[kind]} by {values} in {len(largest)} nets (smallest {p_value(largest.min())})."
    each = [
        f"{with_interval(found, _signed)} in {network(net)} ({p_value(p)})"
        for found, (net, p) in zip(measured, largest.items(), strict=True)
    ]
    return f"{_HELD_FIXED} {CALLED[kind]} by {listed(each)}."


def _beyond(trained: pd.DataFrame) -> str:
    """In how many nets it is more than shuffled channels give, either way of turning."""
    beyond = trained.assign(beyond=trained.partial_correlation > trained.partial_null_high)
    nets = beyond.groupby("net").beyond.all()
    if len(nets) == 1:
        return f"Both ways, this is {'' if nets.all() else 'not '}above 97.5% of what shuffled channels give."
    return f"Both ways, this is above 97.5% of what shuffled channels give in {count_of(int(nets.sum()), len(nets))}."


def _signed(value: float) -> str:
    return f"{value:.2f}"


def _seeds(trained: pd.DataFrame) -> str:
    count = trained.seed.nunique()
    return f"Numbers are means over {plural(count, 'seed')}, p-values the largest of them." if count > 1 else ""
