import pandas as pd

from ..claim_measures import MissingError, Tables, means_by_network, rows_where, values_of
from ..drawn_anew import in_brackets
from ..states import as_shown
from ..words import averaged_over, count_of, each, listed, network, span
from .claims import drawn_by_hes_rule


def describe_stability(tables: Tables) -> str:
    """What R is at init and after training, which nets go up and down, and what the other reading of batch-norm gives."""
    table = as_shown(tables["stability"])
    trained = _values(table, "R", "trained")
    try:
        initial = _values(table, "R", "init")
    except MissingError:
        return f"Trained, :math:`R_f` is {each(trained)}."
    drawn_anew = in_brackets(table)
    both = [net for net in trained if net in initial]
    lower = [net for net in both if trained[net] < initial[net]]
    sentences = [
        f"At init :math:`R_f` is {each(initial)}{drawn_anew}; trained, it is {each(trained)}.",
        f"Trained, it is lower than at init in {count_of(len(lower), len(both))}{_all_but(lower, both)}, and below one in "
        f"{count_of(sum(value < 1 for value in trained.values()), len(trained))}; {_falls(table, 'D')}, {_falls(table, 'G')}.",
        _other_reading(tables, initial),
        _hes_rule(table),
        averaged_over(table.seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


def _values(table, quantity: str, state: str) -> dict[str, float]:
    rows = rows_where(table, f"nets {state}", state=state)
    return values_of(means_by_network(rows, quantity))


def _all_but(those: list[str], nets: list[str]) -> str:
    others = [network(net) for net in nets if net not in those]
    return f" (not in {listed(others)})" if those and others else ""


def _hes_rule(table: pd.DataFrame) -> str:
    """Whose init is not the papers'."""
    others = [network(net) for net in drawn_by_hes_rule(table[table.state == "init"])]
    if not others:
        return ""
    return (
        f"The init of {listed(others)} is not the papers': it is drawn by He's rule (arXiv:1502.01852), since as torch draws "
        "layers activations shrink from one to the next, with which such nets do not learn in few epochs."
    )


def _falls(table, quantity: str) -> str:
    initial, trained = (_values(table, quantity, state) for state in ("init", "trained"))
    both = [net for net in trained if net in initial]
    falling = sum(trained[net] < initial[net] for net in both)
    return f":math:`{quantity}_f` falls in {count_of(falling, len(both))}"


def _other_reading(tables: Tables, initial: dict[str, float]) -> str:
    """What statistics of training images, estimated once, give at init instead."""
    table = tables["stability"]
    if "estimated" not in set(table.batch_norm):
        return ""
    estimated = means_by_network(table[table.batch_norm == "estimated"], "R")
    values = values_of(estimated)
    return (
        f"With batch-norm estimated once on training images, :math:`R_f` at init would be {each(values)}, where those of each "
        f"set of images give {span(initial[net] for net in values)}."
    )
