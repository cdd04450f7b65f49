"""What the claims of several figures are measured with: numbers with intervals, taken from a run's tables.

A claim or question is measured by a function in the room of its figure, decorated with its name in ``config/claims.yaml``, and
its part if it has one::

    @measures("2b")
    def trained_stability(tables): ...

    @measures("3d", "exponent")
    def exponent(tables): ...

It is given the tables of the run by name, and returns a number with its interval; numbers by network, of which the median
decides; a list of numbers, or :class:`Ways` with names, of which the one decides that does worst against the criterion; or an
:class:`Answer` in words. :class:`Noted` adds to any of them what the reason is to say beside it.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..core import quantiles
from ..networks.catalogue import kinds_of

FEWEST = 3  # places of a net from which an interval is taken


class Measured(NamedTuple):
    """A number with its 95% interval."""

    value: float
    low: float
    high: float


class Answer(NamedTuple):
    """What a question is answered in words of its own.

    Attributes:
        measured: the number that stands beside it.
        answer: in words.
        reason: what else there is to say.
    """

    measured: Measured
    answer: str
    reason: str = ""


class Ways(NamedTuple):
    """A number measured in several ways, of which the worst decides; the reason gives all of them.

    Attributes:
        found: the numbers, by what they are called.
    """

    found: dict[str, Measured]


class Noted(NamedTuple):
    """What was measured, and what else there is to say.

    Attributes:
        found: what decides.
        note: what the reason says beside it; networks stand there as :func:`~diffeo_stability.figures.words.network` has them.
    """

    found: "Found"
    note: str


class MissingError(Exception):
    """A run lacks what a claim needs; says what."""


def rows_where(table: pd.DataFrame, what: str, **values: object) -> pd.DataFrame:
    """Rows in which columns have the values given, or one of several.

    Raises:
        MissingError: there are none.
    """
    for column, value in values.items():
        table = table[table[column].isin(value if isinstance(value, list) else [value])]
    if table.empty:
        raise MissingError(f"the run has no {what}")
    return table


def rows_of_kind(table: pd.DataFrame, kind: str, what: str) -> pd.DataFrame:
    """Rows of networks of a kind: also those of libraries (``timm:resnet18``) and of one's own (``package:vgg``)."""
    return rows_where(table[[kind in kinds_of(architecture) for architecture in table.architecture]], what)


def rows_that_belong(table: pd.DataFrame, belongs: Callable[[str, float], bool], what: str) -> pd.DataFrame:
    """Rows of networks whose architecture and size of first filters are of a class that ``networks.classes`` knows."""
    pairs = zip(table.architecture, table.filter_size, strict=True)
    return rows_where(table[[belongs(*pair) for pair in pairs]], what)


def interval_in_row(row: pd.Series, name: str) -> Measured:
    return Measured(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))


def mean_over_seeds(table: pd.DataFrame, name: str, by: list[str], *, signed: bool = False) -> list[Measured]:
    """A quantity and its interval for every combination of the columns ``by``: means over seeds.

    With several seeds, the interval holds both the mean interval of a seed and the t interval of the mean over seeds, whose
    scatter is taken to be the same for all combinations: two or three seeds of one net say little about it. The seeds of a net
    scatter alike at all its places (norms, displacements), so that only trainings count as degrees of freedom.

    Args:
        table: one row per combination and training, with the columns ``net`` and ``seed``.
        signed: a difference or share, which may be negative; other quantities are averaged by their logarithms.
    """
    there, back = (np.asarray, float) if signed else (np.log, math.exp)
    groups = [rows for _, rows in table.groupby(by, sort=False) if not rows[name].isna().any()]
    columns = [[there(rows[column]) for column in (name, f"{name}_low", f"{name}_high")] for rows in groups]
    spare = sum(len(values) - 1 for values, _, _ in columns)
    squares = sum(float(np.square(values - values.mean()).sum()) for values, _, _ in columns)
    freedom = int((table.dropna(subset=name).groupby("net").seed.nunique() - 1).sum())
    scatter = quantiles.student(freedom) * math.sqrt(squares / spare) if freedom and spare else 0.0
    found = []
    for values, lows, highs in columns:
        mean, over_seeds = values.mean(), scatter / math.sqrt(len(values))
        low = mean - math.hypot(mean - lows.mean(), over_seeds)
        high = mean + math.hypot(highs.mean() - mean, over_seeds)
        found.append(Measured(back(mean), back(low), back(high)))
    return found


def smallest(numbers: Iterable[Measured]) -> Measured:
    """The smallest of several numbers; its interval is that of the minimum."""
    return _extreme(list(numbers), np.min)


def largest(numbers: Iterable[Measured]) -> Measured:
    return _extreme(list(numbers), np.max)


def _extreme(numbers: list[Measured], extreme_of: Callable) -> Measured:
    if not numbers:
        raise MissingError("nothing was measured")
    return Measured(*(float(extreme_of(column)) for column in zip(*numbers, strict=True)))


def quotient(top: Measured, bottom: Measured) -> Measured:
    """Ratio of two positive numbers measured independently of each other, its interval by their logarithms' errors."""
    error = math.hypot(*(math.log(measured.high / measured.low) / 2 for measured in (top, bottom)))
    value = top.value / bottom.value
    return Measured(value, value * math.exp(-error), value * math.exp(error))


def geometric_mean(ratios: pd.Series, fewest: int = FEWEST) -> Measured:
    """Geometric mean of what was measured at each place of one seed of a net, with its t interval over places.

    Places count as independent: what grows with depth, and so departs from its mean together, is not less well known for that.

    Args:
        ratios: indexed by depth.
        fewest: places that there must be: the scatter of two says next to nothing. Where the mean alone is told, they do.

    Raises:
        MissingError: there are fewer, or one is no positive number.
    """
    return _mean_of_logs(_logs_by_depth(ratios, fewest))


def mean_over_nets(found: Mapping[str, Measured]) -> Measured:
    """Geometric mean over nets with its t interval; a single net has its own."""
    if len(found) == 1:
        return next(iter(found.values()))
    return _mean_of_logs(np.log([measured.value for measured in found.values()]))


def _mean_of_logs(logs: np.ndarray) -> Measured:
    half = quantiles.student(len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs))
    return Measured(*(float(np.exp(logs.mean() + sign * half)) for sign in (0, -1, 1)))


def _logs_by_depth(values: pd.Series, fewest: int) -> np.ndarray:
    """Logarithms of positive numbers, in the order of their index.

    Raises:
        MissingError: there are fewer of them, or one is no positive number.
    """
    if len(values) < fewest:
        raise MissingError(f"the run has no net of {fewest} layers")
    if not (np.isfinite(values) & (values > 0)).all():
        raise MissingError("of the run's nets, a layer has no positive number to compare")
    return np.log(values.sort_index().to_numpy(float))


def change_over_depth(values: pd.Series) -> Measured:
    r"""By what factor a positive quantity changes over the depth of one seed of a net: a straight line through its logarithm.

    Neighbouring operations depart from the line together, as one computes on what the other gave. The t interval is therefore
    widened as for departures of which each keeps a part :math:`\rho` of the one before: by
    :math:`\sqrt{(1 + \rho) / (1 - \rho)}`, which is how Santer et al. 2000 (doi:10.1029/1999JD901105) count independent ones,
    with the autocorrelation of the departures where it is positive. A curve's departures go together, too: where a straight line
    is not what a quantity follows, the interval says so. Of few operations one finds less memory than there is.

    Args:
        values: indexed by depth.

    Raises:
        MissingError: there are fewer than three, or one is no positive number.
    """
    y, depth = _logs_by_depth(values, FEWEST), np.sort(values.index.to_numpy(float))
    x = (depth - depth.mean()) / (depth.max() - depth.min())
    slope = x @ y / (x @ x)
    departures = y - y.mean() - slope * x
    error = np.linalg.norm(departures) / math.sqrt((len(x) - 2) * (x @ x))
    half = quantiles.student(len(x) - 2) * error * _widened_by(departures)
    return Measured(*(math.exp(slope + sign * half) for sign in (0, -1, 1)))


def _widened_by(departures: np.ndarray) -> float:
    """By what factor an error grows because neighbours depart together; 1 where they do not."""
    squares = departures @ departures
    kept = max(0.0, departures[1:] @ departures[:-1] / squares) if squares else 0.0
    return math.sqrt((1 + kept) / (1 - kept))


def over_depth(rows: pd.DataFrame, quantity: str) -> dict[str, Measured]:
    """By what factor a quantity changes from the first operation of each net to its last, by the net's name."""
    return seed_by_seed(rows, lambda of_seed: change_over_depth(of_seed.set_index("operation_index")[quantity]))


def gains_by_layer(rows: pd.DataFrame) -> pd.Series:
    """Gain of the constant component of filters over the roughest one, of one net: indexed by ``layer_index`` and ``seed``."""
    layers = rows.sort_values("eigenvalue").groupby(["layer_index", "seed"]).ratio
    return layers.first() / layers.last()


def mean_gains(rows: pd.DataFrame, fewest: int = FEWEST) -> dict[str, Measured]:
    """The same by net, mean of layers; of each net that has so many."""
    return seed_by_seed(rows, lambda of_seed: geometric_mean(gains_by_layer(of_seed), fewest))


def changes_by(rows: pd.DataFrame, kinds: list[str], quantity: str) -> pd.Series:
    """By what factor each operation of some kinds changes a quantity: after it over before it.

    Args:
        rows: one per operation, of one net in one state, of one seed or several. The net must be a plain sequence: what is
            before an operation is the one executed before it. The first one has nothing before it and is left out.

    Returns:
        Indexed by ``operation_index``, as :func:`geometric_mean` takes it.

    Raises:
        MissingError: the net has no operation of these kinds.
    """
    ordered = rows.sort_values("operation_index").set_index("operation_index")
    ratios = (ordered[quantity] / ordered.groupby("seed")[quantity].shift())[ordered.kind.isin(kinds)].dropna()
    if ratios.empty:
        raise MissingError(f"the run has no net with the operation {' or '.join(kinds)}")
    return ratios


def by_network(table: pd.DataFrame, measure: Callable[[pd.DataFrame], Measured]) -> dict[str, Measured]:
    """Measure every network that has what it takes, by its name.

    Raises:
        MissingError: none has.
    """
    found, missing = {}, MissingError("nothing was measured")
    for net, rows in table.groupby("net", sort=False):
        try:
            found[net] = measure(rows)
        except MissingError as error:
            missing = error
    if not found:
        raise missing
    return found


def seed_by_seed(table: pd.DataFrame, measure: Callable[[pd.DataFrame], Measured]) -> dict[str, Measured]:
    """Measure a positive quantity of every seed that has what it takes, and return the means over seeds by network.

    How layers or operations of one seed scatter says nothing of another training: intervals hold both, as
    :func:`mean_over_seeds` puts them together.

    Raises:
        MissingError: no seed has what it takes.
    """
    rows, missing = [], MissingError("nothing was measured")
    for (net, seed), of_seed in table.groupby(["net", "seed"], sort=False):
        try:
            found = measure(of_seed)
        except MissingError as error:
            missing = error
        else:
            rows.append({"net": net, "seed": seed, "it": found.value, "it_low": found.low, "it_high": found.high})
    if not rows:
        raise missing
    return means_by_network(pd.DataFrame(rows), "it")


def means_by_network(table: pd.DataFrame, name: str, *, signed: bool = False) -> dict[str, Measured]:
    """A quantity and its interval for every network, by its name: see :func:`mean_over_seeds`."""
    table = table.dropna(subset=name)
    if table.empty:
        raise MissingError(f"the run has no {name}")
    return dict(zip(table.net.unique(), mean_over_seeds(table, name, ["net"], signed=signed), strict=True))


def values_of(found: Mapping[str, Measured]) -> dict[str, float]:
    """What was measured by network, without the intervals."""
    return {net: measured.value for net, measured in found.items()}


def quotients(top: Mapping[str, Measured], bottom: Mapping[str, Measured]) -> dict[str, Measured]:
    """Ratios of what was measured of the same networks."""
    return {name: quotient(top[name], bottom[name]) for name in top if name in bottom}


Tables = Mapping[str, pd.DataFrame]
Found = Measured | Mapping[str, Measured] | list[Measured] | Ways | Answer | Noted
Measure = Callable[[Tables], Found]


def measures(claim: str, part: str | None = None) -> Callable[[Measure], Measure]:
    """Mark a function as what measures a claim, or a part of it."""

    def mark(measure: Measure) -> Measure:
        measure.claim = claim if part is None else f"{claim} {part}"
        return measure

    return mark
