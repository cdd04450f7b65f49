from collections.abc import Mapping

import pandas as pd

from ..claim_measures import Measured, MissingError, Tables, rows_where, values_of
from ..words import count_of, each, network, percent, plural, span, with_interval
from .claims import read_out_over_whole, trained_nets, widest

SIGNIFICANT = 0.05


def describe_hidden_layer_pooling(tables: Tables) -> str:
    """How stable nets are whose read-out alone is trained, at what error, and what became of the filters."""
    stabilities = [_stability(tables, pooling_space=True), _stability(tables, pooling_space=False)]
    if not any(stabilities):
        raise MissingError("the run has no nets trained both ways")
    table = widest(tables["hidden_layer_pooling"])
    return " ".join(filter(None, [*stabilities, _filters(table), _seeds(table)]))


def _stability(tables: Tables, *, pooling_space: bool) -> str:
    """D and R with the read-out alone trained over those of the whole net, and both errors; empty without such nets."""
    try:
        nets = trained_nets(tables, pooling_space=pooling_space)
        relative, deformation = (_each(read_out_over_whole(nets, quantity)) for quantity in "RD")
    except MissingError:
        return ""
    if pooling_space:
        return (
            f"At the largest width, :math:`D_f` with the read-out alone trained over that with the whole net trained is "
            f"{deformation}, and the same ratio of :math:`R_f` {relative}; test errors are {_errors(nets)}."
        )
    return (
        f"Where the read-out pools over channels only, the ratio of :math:`D_f` is {deformation}, and of :math:`R_f` {relative}; "
        f"test errors are {_errors(nets)}."
    )


def _each(ratios: Mapping[str, Measured]) -> str:
    """Ratios by net; of one alone with its interval."""
    if len(ratios) == 1:
        ((name, ratio),) = ratios.items()
        return f"{with_interval(ratio)} in {network(name)}"
    return each(values_of(ratios))


def _errors(nets: pd.DataFrame) -> str:
    """Test errors, means over seeds, with the read-out alone trained and of the whole net."""
    means = nets.groupby(["trained_part", "net"]).test_error.mean()
    return f"{span(means['read_out'], percent)}, against {span(means['all'], percent)}"


def _filters(table: pd.DataFrame) -> str:
    """How smooth filters become where they are trained, and whether a read-out trained alone prefers smooth ones."""
    whole = (
        rows_where(table, "whole nets", trained_part="all")
        .groupby(["state", "net"], sort=False)
        .filter_eigenvalue.mean()
    )
    smoother = whole["trained"] < whole["init"]
    alone = rows_where(table, "read-outs trained alone", trained_part="read_out", state="trained")
    preferring = alone.selection_p_value < SIGNIFICANT
    return (
        f"Training the whole net makes its filters smoother in {count_of(smoother.sum(), len(smoother))}; a read-out trained "
        f"alone reads the smoother ones more strongly (p < {SIGNIFICANT}) in "
        f"{count_of(preferring.sum(), len(preferring), 'trainings')}."
    )


def _seeds(table: pd.DataFrame) -> str:
    count = table.seed.nunique()
    return f"Ratios are geometric means over {plural(count, 'seed')}." if count > 1 else ""
