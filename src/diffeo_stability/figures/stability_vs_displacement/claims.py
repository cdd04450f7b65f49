import math
from itertools import combinations

import numpy as np
import pandas as pd

from ...networks.classes import state_of_the_art
from ..claim_measures import (
    Measured,
    MissingError,
    Tables,
    by_network,
    largest,
    mean_over_seeds,
    measures,
    quotient,
    rows_that_belong,
    rows_where,
)
from ..states import as_shown

PLACES = ["cutoff", "delta"]  # columns that say at which perturbation R was measured


def trained(tables: Tables) -> pd.DataFrame:
    return rows_where(as_shown(tables["stability_vs_displacement"]), "nets trained", state="trained")


def relative_by_place(rows: pd.DataFrame) -> dict[tuple[int, float], Measured]:
    """R of one net at every cutoff and displacement: means over seeds."""
    places = rows[PLACES].drop_duplicates().itertuples(index=False, name=None)
    return dict(zip(places, mean_over_seeds(rows, "R", PLACES), strict=True))


def orders_of_pairs(rows: pd.DataFrame) -> dict[tuple[str, str], list[Measured]]:
    """By pair of nets, R of the first over R of the second at every cutoff and displacement.

    Raises:
        MissingError: there are no two nets.
    """
    found = {net: relative_by_place(own) for net, own in rows.groupby("net", sort=False)}
    if len(found) < 2:
        raise MissingError("the run has no two nets to compare")
    return {
        (first, second): [quotient(found[first][place], found[second][place]) for place in found[first]]
        for first, second in combinations(found, 2)
    }


def changes_order(ratios: list[Measured]) -> bool:
    """Whether the first of two nets has the larger R somewhere and the smaller one elsewhere."""
    return len({ratio.value > 1 for ratio in ratios}) == 2


def below_one_from(rows: pd.DataFrame) -> Measured:
    """Displacement in pixels from which on R of one net at one cutoff is below one, up to overhangs; infinite if there is none.

    Between displacements linearly in the logarithms; the smallest one measured if R is below one at all of them.
    """
    places = relative_by_place(rows.sort_values("delta"))
    displacements, overhang = [displacement for _, displacement in places], rows.delta_overhang.iloc[0]
    curves = ([getattr(relative, end) for relative in places.values()] for end in ("value", "low", "high"))
    return Measured(*(_crossing(*_up_to(overhang, displacements, curve)) for curve in curves))


def _up_to(largest: float, displacements: list[float], relative: list[float]) -> tuple[list[float], list[float]]:
    """A curve up to a displacement, which may lie between two that were measured."""
    if largest >= displacements[-1]:
        return displacements, relative
    count = sum(displacement <= largest for displacement in displacements)
    end = math.exp(np.interp(math.log(largest), np.log(displacements), np.log(relative)))
    return [*displacements[:count], largest], [*relative[:count], end]


def _crossing(displacements: list[float], relative: list[float]) -> float:
    above = [place for place, value in enumerate(relative) if value >= 1]
    if not above:
        return displacements[0]
    last = above[-1]
    if last == len(relative) - 1:
        return math.inf
    share = math.log(relative[last]) / math.log(relative[last] / relative[last + 1])
    return displacements[last] * (displacements[last + 1] / displacements[last]) ** share


def by_cutoff(rows: pd.DataFrame) -> list[Measured]:
    """From which displacement on R of one net is below one, up to overhangs, at each cutoff."""
    return [below_one_from(own) for _, own in rows.groupby("cutoff", sort=False)]


@measures("16a")
def below_one_at_visible_displacements(tables: Tables) -> dict[str, Measured]:
    """Displacement from which on R is below one, up to overhangs: the largest over cutoffs, of every state-of-the-art net."""
    rows = rows_that_belong(trained(tables), state_of_the_art, "AlexNet, VGG, ResNet or EfficientNet")
    return by_network(rows, lambda own: largest(by_cutoff(own)))


@measures("16b")
def share_of_pairs_that_change_order(tables: Tables) -> Measured:
    """Share of pairs of nets whose order by R changes; from those whose intervals say so to those whose intervals allow it."""
    pairs = orders_of_pairs(trained(tables)).values()
    surely = [any(r.low > 1 for r in ratios) and any(r.high < 1 for r in ratios) for ratios in pairs]
    surely_not = [all(r.low > 1 for r in ratios) or all(r.high < 1 for r in ratios) for ratios in pairs]
    count = len(pairs)
    change = sum(changes_order(ratios) for ratios in pairs)
    return Measured(change / count, sum(surely) / count, 1 - sum(surely_not) / count)
