"""Times of several ways to do one thing, taken in turn, so that a machine that slows down slows all of them."""

import statistics
import time
from collections.abc import Callable


def seconds_in_turn(rounds: int, **ways: Callable[[], object]) -> dict[str, list[float]]:
    """Return the seconds of each way in each round, one way after the other, after two rounds to warm up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 2):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn >= 2:
                times[name].append(time.perf_counter() - start)
    return times


def ratio(times: dict[str, list[float]], numerator: str, denominator: str) -> float:
    """Return the median over rounds of one way's time over another's."""
    return statistics.median(a / b for a, b in zip(times[numerator], times[denominator], strict=True))
