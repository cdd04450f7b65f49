"""What benchmarks share: two threads, and a way to say what they found."""

import pytest
import torch

THREADS = 2


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def report(benchmark, capsys):
    """Prints ratios and keeps them with the benchmark's result."""

    def say(text: str, **numbers: float) -> None:
        benchmark.extra_info.update(numbers)
        values = ", ".join(f"{name} {value:,.3g}" for name, value in numbers.items())
        with capsys.disabled():
            print(f"\n{text}: {values}")

    return say
