from functools import partial

import pandas as pd

from ..claim_measures import Measured, MissingError, Tables, change_over_depth, geometric_mean, rows_where
from ..states import as_shown
from ..words import listed, plural, span
from .gaps import EQUAL, gaps, medians

MEAN = partial(geometric_mean, fewest=2)  # no interval is told


def describe_neuron_stability(tables: Tables) -> str:
    """How much more neurons move than under translations, what training does to that, and what other choices would give."""
    summary = tables["neuron_stability_summary"].dropna(subset="ratio_to_translation")
    shown = rows_where(as_shown(summary), "neurons over all patches", patch_choice="random")
    seeds = summary.seed.nunique()
    over = "layers" if seeds == 1 else f"layers and {plural(seeds, 'seed')}"
    ratios = f"Compared with translations, the other parts move neurons {_ratios(shown)}; geometric means over {over}."
    return " ".join([ratios, *_training(summary)])


def _ratios(shown: pd.DataFrame) -> str:
    """By how much more than translations, at each way of equal size: the range of nets and parts."""
    by_layer = shown.groupby(["state", "size_by", "net", "transformation"]).ratio_to_translation
    means = by_layer.agg(lambda ratios: ratios.prod() ** (1 / len(ratios)))
    names = {"trained": "trained", "init": "drawn anew" if shown.imported.all() else "at init"}
    states = [state for state in names if state in set(shown.state)]
    ways = [way for way in EQUAL if way in set(shown.size_by)]
    found = [[span(means[state, way]) for state in states] for way in ways]
    first = [f"{ratio} times as much {names[state]}" for ratio, state in zip(found[0], states, strict=True)]
    rest = [f"{listed(ratios)} times (equal {EQUAL[way]})" for ratios, way in zip(found[1:], ways[1:], strict=True)]
    return f"{listed(first)} (equal {EQUAL[ways[0]]}), {', '.join(rest)}"


def _training(summary: pd.DataFrame) -> list[str]:
    """Sentences on the trained ratio over that at init; none where no net has both in several layers."""
    try:
        table = gaps(summary)
        over_all = table[table.patch_choice == "random"]
        factors = _by_way(medians(over_all, MEAN))
    except MissingError:
        return []
    return [
        f"Training multiplies this by {factors} in these three ways, the range of parts in the median net{_growth(over_all)}.",
        f"The factors are {_on(table, 'strongest')} on the strongest patch and {_on(table, 'top')} over the strongest "
        f"ones{_estimated(summary)}.",
    ]


def _growth(over_all: pd.DataFrame) -> str:
    try:
        changes = medians(over_all, change_over_depth)
    except MissingError:
        return ""
    return f", and that changes by {_by_way(changes)} from the first layer to the last, by straight lines through the logarithms"


def _by_way(found: dict[str, dict[str, Measured]]) -> str:
    """The range of parts at each way of equal size."""
    return listed([span([measured.value for measured in of_way.values()]) for of_way in found.values()])


def _on(table: pd.DataFrame, choice: str) -> str:
    some = rows_where(table, f"neurons on patches {choice}", patch_choice=choice)
    return _by_way(medians(some, MEAN))


def _estimated(summary: pd.DataFrame) -> str:
    """What statistics of training images, estimated once, give at init instead."""
    if "estimated" not in set(summary.batch_norm):
        return ""
    factors = _on(gaps(summary, estimated=True), "random")
    return f"; over all patches, with batch-norm at init estimated once on training images, {factors}"
