"""Times of several ways to do one thing, taken in turn, so that a machine that slows down slows all of them."""

import statistics
import time
from collections.abc import Callable

import pytest
import torch

THREADS = 2


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


def medians_in_turn(rounds: int, **ways: Callable[[], object]) -> dict[str, float]:
    """Return the median seconds of each way, one after the other in every round, after a round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


@pytest.fixture
def report(benchmark, capsys):
    """Prints ratios and keeps them with the benchmark's result."""

    def say(text: str, **numbers: float) -> None:
        benchmark.extra_info.update(numbers)
        values = ", ".join(f"{name} {value:,.3g}" for name, value in numbers.items())
        with capsys.disabled():
            print(f"\n{text}: {values}")

    return say
