"""Claims as a forest plot: what was measured, with its interval, beside where its criterion is met.

Claims are about numbers that no one axis holds: ratios, correlations, exponents, shares. So every row has an axis of its own. In
all of them numbers grow to the right and the criterion is in the middle; below stand the numbers at its limits and at both ends.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .claims import where_met

LEAST = 1.25  # factor from the criterion to an end of a logarithmic axis
STEPS = (1.0, 2.0, 5.0, 10.0)
FARTHEST = 1e12  # factor, distance or widths of the criterion: what is beyond lies at the end of the axis
ROOM = 1.05  # for the ends of an interval, which would else touch those of the axis
CLOSE = 2.0  # limits within this factor of each other are put on a linear axis
NARROW = 18.0  # percent of an axis: limits less far apart share a label


class Tick(NamedTuple):
    """A number below an axis.

    Attributes:
        place: in percent from the left end.
        text: the number; of two limits that are close to each other, both.
        anchor: which part of the text is at its place, as SVG calls it: ``start``, ``middle`` or ``end``.
    """

    place: float
    text: str
    anchor: str


@dataclass(frozen=True)
class Axis:
    """An axis of numbers that grow to the right.

    Attributes:
        left, right: its ends; their logarithms if it is logarithmic.
        logarithmic: whether equal factors are equal distances.
    """

    left: float
    right: float
    logarithmic: bool

    def place(self, number: float) -> float:
        """Return where a number is, in percent from the left end; what is beyond an end is at that end."""
        if self.logarithmic:
            number = math.log(number) if number > 0 else -math.inf
        return round(100 * min(max((number - self.left) / (self.right - self.left), 0.0), 1.0), 3)

    @property
    def ends(self) -> tuple[float, float]:
        """The numbers at its ends."""
        return (math.exp(self.left), math.exp(self.right)) if self.logarithmic else (self.left, self.right)


@dataclass(frozen=True)
class Drawing:
    """A row of the plot; places are in percent from the left end of its axis.

    Attributes:
        shaded: from where to where the criterion is met.
        limits: where it begins or ends to be met.
        ticks: numbers below the axis.
        interval: its ends; nothing if there is none.
        value: what was measured; nothing if it was not.
        beyond: on which sides what was measured goes on beyond the axis: ``left``, ``right``.
        logarithmic: whether the axis is.
    """

    shaded: list[tuple[float, float]]
    limits: list[float]
    ticks: list[Tick]
    interval: tuple[float, float] | None
    value: float | None
    beyond: list[str]
    logarithmic: bool


def draw_row(criterion: str, measured: float, low: float, high: float) -> Drawing:
    """Return a claim's row of the plot.

    Args:
        criterion: in words, as the table ``claims`` has it; may be empty.
        measured: the number; NaN if there is none.
        low, high: its 95% interval; NaN if there is none, infinite if it is open.

    Raises:
        InputError: the criterion is none.
    """
    regions = where_met(criterion)
    limits = sorted({limit for region in regions for limit in region if math.isfinite(limit)})
    numbers = [] if math.isnan(measured) else [number for number in (measured, low, high) if not math.isnan(number)]
    axis = axis_around(limits, filter(math.isfinite, numbers))
    left, right = axis.ends
    outside = {"left": min(numbers, default=left) < left, "right": max(numbers, default=right) > right}
    return Drawing(
        shaded=[(axis.place(start), axis.place(end)) for start, end in regions if start < end],
        limits=[axis.place(limit) for limit in limits],
        ticks=_ticks(axis, limits),
        interval=(axis.place(low), axis.place(high)) if len(numbers) == 3 and low < high else None,
        value=axis.place(measured) if numbers else None,
        beyond=[side for side, is_beyond in outside.items() if is_beyond],
        logarithmic=axis.logarithmic,
    )


def axis_around(limits: Sequence[float], numbers: Iterable[float]) -> Axis:
    """Return an axis that has the criterion in its middle, holds what was measured, and has round numbers at its ends.

    It is logarithmic where all numbers are positive, unless the criterion has two limits that are close to each other.

    Args:
        limits: of the criterion, finite, in order; if there are none, 1 or 0 is in the middle, what says that nothing changes.
        numbers: that it has to hold, finite.
    """
    numbers = list(numbers)
    positive = all(number > 0 for number in (*limits, *numbers))
    first, last = (limits[0], limits[-1]) if limits else (float(positive),) * 2
    logarithmic = positive and (first == last or last > CLOSE * first)
    if logarithmic:
        first, last, *numbers = (math.log(number) for number in (first, last, *numbers))
    outside = max((max(number - last, first - number) for number in numbers), default=0.0) * ROOM
    reach = _reach(max(outside, 0.0), last - first, logarithmic=logarithmic)
    return Axis(first - reach, last + reach, logarithmic)


def _reach(outside: float, width: float, *, logarithmic: bool) -> float:
    """How far an axis reaches beyond the criterion on both sides.

    Args:
        outside: how far numbers lie outside of the criterion.
        width: of the criterion; if it has one, it is the unit.
    """
    if width > 0:
        reach = width * _rounded_up(max(outside / width, 1.0))
        return min(reach, math.log(FARTHEST)) if logarithmic else reach
    if not logarithmic:
        return _rounded_up(outside or 1.0)
    factor = math.exp(min(outside, math.log(FARTHEST)))
    return math.log(LEAST if factor <= LEAST else _rounded_up(factor))


def _rounded_up(number: float) -> float:
    """The next of 1, 2, 5, 10, ... that is not smaller than a positive number."""
    power = 10.0 ** math.floor(math.log10(min(number, FARTHEST)))
    return next((step * power for step in STEPS if step * power >= number), FARTHEST)


def _ticks(axis: Axis, limits: Sequence[float]) -> list[Tick]:
    """Numbers at the ends of an axis, and at the limits of the criterion or, if there is none, in the middle."""
    left, right = (f"{end:.3g}" for end in axis.ends)
    ends = [Tick(0.0, left, "start"), Tick(100.0, right, "end")]
    places = [axis.place(limit) for limit in limits]
    if not limits:
        inner = [Tick(50.0, "1" if axis.logarithmic else "0", "middle")]
    elif 0 < places[-1] - places[0] < NARROW:
        inner = [Tick(50.0, f"{limits[0]:g} to {limits[-1]:g}", "middle")]
    else:
        inner = [Tick(place, f"{limit:g}", "middle") for place, limit in zip(places, limits, strict=True)]
    return [Tick(place, text.replace("-", "\N{MINUS SIGN}"), anchor) for place, text, anchor in (*ends, *inner)]
