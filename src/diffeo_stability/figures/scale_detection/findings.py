from collections.abc import Callable

import pandas as pd

from ..claim_measures import Measured, MissingError, Tables, over_depth, values_of
from ..depth import factors_over_depth, trained_over_depth
from ..states import as_shown
from ..words import each, factor, listed, network, percent, plural
from .claims import LEARNT, errors, gains, learnt, trained, unlearnt


def describe_scale_detection(tables: Tables) -> str:
    """How well nets solve the task, and of those that do, what D and G do over depth and what becomes of filters."""
    rows = trained(tables)
    others = [network(net) for net in unlearnt(rows)]
    sentences = [
        f"Trained on {rows.train_size.max():,} images, the error is {each(errors(tables), percent)}.",
        f"Left out of what follows, as not every seed's error is surely below {percent(LEARNT)}: {listed(others)}."
        if others
        else "",
        _over_depth(tables),
        _at_init(tables),
        _filters(tables),
        _averaged(rows.seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


def _values(measure: Callable[[], dict[str, Measured]]) -> dict[str, float]:
    """What was measured, by network; nothing where no network has what it takes."""
    try:
        return values_of(measure())
    except MissingError:
        return {}


def _over_depth(tables: Tables) -> str:
    try:
        return trained_over_depth(learnt(tables))
    except MissingError:
        return ""


def _at_init(tables: Tables) -> str:
    """How D and G change over depth before training, of the same nets, and what the other reading of batch-norm gives."""
    table = tables["scale_detection"]
    those = set(_values(lambda: over_depth(learnt(tables), "D")))
    rows = table[(table.state == "init") & (table.train_size == table.train_size.max()) & table.net.isin(those)]
    if rows.empty:
        return ""
    words = f"At init :math:`D_k` changes by {' and :math:`G_k` by '.join(_changes(as_shown(rows)))}"
    estimated = rows[rows.batch_norm == "estimated"]
    if len(estimated):
        words += f"; with batch-norm estimated once on training images, by {' and by '.join(_changes(estimated))}"
    return f"{words}."


def _changes(rows: pd.DataFrame) -> list[str]:
    """By what factors D and G change over depth."""
    return [each(factors_over_depth(rows, quantity), factor) for quantity in "DG"]


def _filters(tables: Tables) -> str:
    found = _values(lambda: gains(tables, fewest=2))
    if not found:
        return ""
    return (
        f"The constant component of filters gains over the roughest one by a factor of {each(found, factor)}, mean of "
        "convolutions."
    )


def _averaged(seeds: int) -> str:
    return f"Over {plural(seeds, 'seed')}, errors are arithmetic means and factors geometric ones." if seeds > 1 else ""
