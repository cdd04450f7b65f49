import pandas as pd

from ..claim_measures import (
    Measured,
    MissingError,
    Tables,
    by_network,
    mean_over_seeds,
    measures,
    quotient,
    rows_where,
)
from ..states import as_shown


def ratios(rows: pd.DataFrame) -> dict[float, Measured]:
    """How many times as far a network's output moves towards another image as with noise of the same norm, by that norm.

    Args:
        rows: of one network, state and output.
    """
    shared = set.intersection(*(set(rows[rows.perturbation == kind].r) for kind in ("datapoint", "noise")))
    rows = rows[rows.r.isin(shared)].sort_values("r")
    towards, noise = (
        mean_over_seeds(rows[rows.perturbation == kind], "distance", ["r"]) for kind in ("datapoint", "noise")
    )
    return {norm: quotient(*pair) for norm, *pair in zip(sorted(shared), towards, noise, strict=True)}


def up_to_half_way(table: pd.DataFrame, state: str) -> pd.DataFrame:
    """Rows on the logits of networks in a state, as figures show them, up to half of the way to the other image."""
    table = rows_where(as_shown(table), f"interpolation curves {state}", state=state, output="logits")
    return table[table.r <= table.datapoint_distance / 2]


def _unlike(rows: pd.DataFrame) -> Measured:
    """By what factor the two curves of a network differ at most, whichever is above the other."""
    either_way = [
        max(ratio, Measured(1 / ratio.value, 1 / ratio.high, 1 / ratio.low), key=lambda one: one.value)
        for ratio in ratios(rows).values()
    ]
    if not either_way:
        raise MissingError("the run has no norm up to half of the way to the other image")
    return max(either_way, key=lambda one: one.value)


@measures("6")
def unlike_noise(tables: Tables) -> dict[str, Measured]:
    """By what factor the curves towards another image and with noise differ at most, up to half of the way, trained."""
    return by_network(up_to_half_way(tables["interpolation_curves"], "trained"), _unlike)
