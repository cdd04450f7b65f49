import math

import pandas as pd

from ..claim_measures import MissingError, Tables
from ..drawn_anew import in_brackets
from ..states import as_shown
from ..words import averaged_over, count_of, listed, network, number, span
from .claims import by_cutoff, changes_order, orders_of_pairs, relative_by_place, trained


def describe_stability_vs_displacement(tables: Tables) -> str:
    """Where R is below one, between which values it lies, whether nets change their order, and what R is at init."""
    table = tables["stability_vs_displacement"]
    rows = trained(tables)
    sentences = [
        _below_one(rows),
        f"Over all displacements and cutoffs it is {_spans(rows)}.",
        _order(rows),
        _at_init(table),
        averaged_over(table.seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


def _below_one(rows: pd.DataFrame) -> str:
    """From which displacement on R of trained nets is below one, as far as fields have no overhangs."""
    everywhere, from_some, elsewhere, nowhere = [], [], [], []
    for net, own in rows.groupby("net", sort=False):
        seen = own[own.delta <= own.delta_overhang]
        crossings = [measured.value for measured in by_cutoff(own)]
        if all(math.isclose(crossing, own.delta.min()) for crossing in crossings):
            everywhere.append(network(net))
        elif finite := [crossing for crossing in crossings if math.isfinite(crossing)]:
            at = "" if len(finite) == len(crossings) else f" at {count_of(len(finite), len(crossings), 'cutoffs')}"
            latest = (
                f" (at the cutoff where it is latest, from {number(max(finite))})"
                if span(finite) != number(min(finite))
                else ""
            )
            from_some.append(f"from {number(min(finite))} pixels on{latest}{at} in {network(net)}")
        elif min(relative.value for relative in relative_by_place(seen).values()) < 1:
            elsewhere.append(network(net))
        else:
            nowhere.append(network(net))
    parts = [
        f"at every displacement in {listed(everywhere)}" if everywhere else "",
        f"{listed(from_some)}" if from_some else "",
        f"but not at the largest displacements in {listed(elsewhere)}" if elsewhere else "",
        f"nowhere in {listed(nowhere)}" if nowhere else "",
    ]
    return f"Up to the first overhangs, trained :math:`R_f` is below one {'; '.join(filter(None, parts))}."


def _values(rows: pd.DataFrame) -> dict[str, list[float]]:
    return {
        net: [relative.value for relative in relative_by_place(own).values()]
        for net, own in rows.groupby("net", sort=False)
    }


def _spans(rows: pd.DataFrame) -> str:
    """Between which values R of each net lies."""
    return listed([f"{span(values)} in {network(net)}" for net, values in _values(rows).items()])


def _order(rows: pd.DataFrame) -> str:
    """How many pairs of trained nets change their order."""
    try:
        pairs = orders_of_pairs(rows)
    except MissingError:
        return ""
    changing = [f"{network(first)} and {network(second)}" for (first, second), r in pairs.items() if changes_order(r)]
    if not changing:
        return "The order of trained nets by :math:`R_f` is the same at every displacement and cutoff."
    some = count_of(len(changing), len(pairs), "pairs")
    return f"The order of trained nets by :math:`R_f` depends on displacement or cutoff in {some}: {listed(changing)}."


def _at_init(table: pd.DataFrame) -> str:
    """Between which values R lies at init, and what the other reading of batch-norm gives."""
    shown, estimated = as_shown(table), table[table.batch_norm == "estimated"]
    initial = _values(shown[shown.state == "init"])
    if not initial:
        return ""
    drawn_anew = in_brackets(table)
    words = f"At init it is {_span_of_all(initial)}{drawn_anew}"
    if len(estimated):
        other = _values(estimated)
        words += (
            f"; with batch-norm estimated once on training images it would be {_span_of_all(other)} where that of each set of "
            f"images gives {_span_of_all({net: initial[net] for net in other})}"
        )
    return f"{words}."


def _span_of_all(values: dict[str, list[float]]) -> str:
    return span([value for own in values.values() for value in own], number)
