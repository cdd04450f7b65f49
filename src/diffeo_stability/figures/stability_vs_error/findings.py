import pandas as pd

from ..claim_measures import Tables, interval_in_row
from ..states import as_shown
from ..words import count_of, each, listed, network, percent, plural, with_interval
from .measurement import REPORTED_A, REPORTED_B, REPORTED_FOR, points_of

FITTED = 0.03  # error on training images up to which a net is said to fit them
LOGS = {quantity: rf":math:`\log {quantity}_f`" for quantity in "RDG"}


def describe_stability_vs_error(tables: Tables) -> str:
    """How strongly the error goes with each quantity and by which law, over what nets, without which, and the other reading."""
    table, stability = tables["stability_vs_error"], as_shown(tables["stability"])
    state = table.state.iloc[0]
    points = points_of(stability, state)
    fits = as_shown(table).set_index("quantity")
    shown = [
        *(_correlations(fits, points) if pd.notna(fits.correlation["R"]) else [_without_fit(fits)]),
        _how_they_fit(stability, points),
        _others(points),
        _other_reading(table, state),
        _left_out(stability, points, state),
    ]
    return " ".join(filter(None, shown))


def _correlations(fits: pd.DataFrame, points: pd.DataFrame) -> list[str]:
    """The correlations, whether that with R is the strongest, and the law."""
    measured = {quantity: interval_in_row(fits.loc[quantity], "correlation") for quantity in fits.index}
    leads = {quantity: interval_in_row(fits.loc[quantity], "lead_of_R") for quantity in ("D", "G")}
    seeds = points.seed.nunique()
    over_seeds = f", each the geometric mean over {plural(seeds, 'seed')}" if seeds > 1 else ""
    at_init = " at init" if fits.state.iloc[0] == "init" else ""
    correlations = listed([f"{with_interval(value)} with {LOGS[quantity]}" for quantity, value in measured.items()])
    strength = listed([f"less that with {LOGS[quantity]} is {with_interval(lead)}" for quantity, lead in leads.items()])
    exponent, prefactor = (interval_in_row(fits.loc["R"], name) for name in ("b", "a"))
    return [
        f"Over {fits.networks['R']} of the papers' nets{over_seeds}, :math:`\\log \\epsilon` has a correlation of {correlations}"
        f"{at_init}; in absolute value, that with {LOGS['R']} {strength}.",
        f"The fit to :math:`R_f` has the exponent {with_interval(exponent)} and, at :math:`R_f = 1`, the error "
        f"{with_interval(prefactor)}{_beside_what_is_reported(fits)}.",
    ]


def _beside_what_is_reported(fits: pd.DataFrame) -> str:
    if fits.dataset["R"] != REPORTED_FOR:
        return ""
    return f", where the paper has about {REPORTED_B} and {REPORTED_A}"


def _without_fit(fits: pd.DataFrame) -> str:
    return f"The run has {fits.reason['R']}: nothing is fitted."


def _how_they_fit(stability: pd.DataFrame, points: pd.DataFrame) -> str:
    """How closely the papers' nets fit their training images, as far as that is known: what does not fit is no test of a law."""
    of_the_papers = points[points.of_the_papers].net.unique()
    trained = stability[(stability.state == "trained") & stability.net.isin(of_the_papers)]
    errors = trained.groupby("net", sort=False).train_error.mean().dropna()
    if errors.empty:
        return ""
    loose = errors[errors > FITTED].to_dict()
    fitting = count_of(len(errors) - len(loose), len(errors))
    beyond = f"; it is {each(loose, percent)}" if loose else ""
    return f"The error on training images, as they are, is at most {FITTED:.0%} in {fitting}{beyond}."


def _others(points: pd.DataFrame) -> str:
    """Which nets are drawn and not fitted."""
    others = [network(net) for net in points[~points.of_the_papers].net.unique()]
    if not others:
        return ""
    return f"Grey, and in no fit: {listed(others)}."


def _other_reading(table: pd.DataFrame, state: str) -> str:
    """What statistics of training images, estimated once, give at init instead."""
    estimated = table[(table.batch_norm == "estimated") & (table.quantity == "R") & table.correlation.notna()]
    if state != "init" or estimated.empty:
        return ""
    correlation = with_interval(interval_in_row(estimated.iloc[0], "correlation"))
    return (
        f"With batch-norm estimated once on training images, the correlation with {LOGS['R']} would be {correlation}."
    )


def _left_out(stability: pd.DataFrame, points: pd.DataFrame, state: str) -> str:
    """How many trainings have an error, R, D or G without logarithm."""
    count = int((stability.state == state).sum()) - len(points)
    return f"Not drawn: {plural(count, 'training')} whose error or stability is 0 or undefined." if count else ""
