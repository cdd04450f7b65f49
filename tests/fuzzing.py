"""Examples that hypothesis draws: a few in every run of the suite, and as many as one likes by ``make fuzz``."""

import math
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import Tensor

from diffeo_stability import InputError

HANGS = 10  # seconds of computing
MOST_MEMORY = 2 * 2**30  # bytes beyond what the tests themselves have
ALWAYS = {
    "deadline": None,
    "database": None,  # no files beside the project
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}


def register_profiles() -> None:
    """The same examples in every run of the suite; others, and ten times as many, by ``--hypothesis-profile=fuzz``."""
    settings.register_profile("suite", max_examples=100, derandomize=True, **ALWAYS)
    settings.register_profile("fuzz", max_examples=1000, derandomize=False, print_blob=True, **ALWAYS)
    settings.load_profile("suite")


def examples(count: int) -> settings:
    """Settings of a test with so many examples in a run of the suite."""
    return settings(max_examples=count * settings().max_examples // 100)


@contextmanager
def bounded() -> Iterator[None]:
    """What is done in it ends in time, and fits into little memory."""

    def stop(*_):
        raise RuntimeError(f"it computed for {HANGS} s without an end")

    before, (soft, hard) = signal.signal(signal.SIGPROF, stop), resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    signal.setitimer(signal.ITIMER_PROF, HANGS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def taken_or_named(function, *arguments, **named):
    """Call a function within bounds: it returns something, or raises an error in lines that are meant for the caller."""
    with bounded():
        try:
            return function(*arguments, **named)
        except InputError as error:
            assert str(error).strip()
            assert all(line == "".join(filter(str.isprintable, line)) for line in str(error).split("\n")), repr(
                str(error)
            )
            return None


def holds_nan(result) -> bool:
    """Whether numbers anywhere in a result are NaN or infinite."""
    if isinstance(result, Tensor):
        return result.is_floating_point() and not bool(result.isfinite().all())
    if isinstance(result, Mapping):
        return any(map(holds_nan, result.values()))
    if isinstance(result, tuple | list):
        return any(map(holds_nan, result))
    if hasattr(result, "__dataclass_fields__"):
        return holds_nan(vars(result))
    return isinstance(result, float) and not math.isfinite(result)


class Damage(tuple):
    """Changes of a file, one after the other: a kind, where (from 0 to 1) and with which bytes."""

    def of(self, content: bytes) -> bytes:
        for kind, where, other in self:
            at = round(where * len(content))
            content = {
                "cut": content[:at],
                "changed": content[:at] + other + content[at + len(other) :],
                "more": content[:at] + other + content[at:],
                "less": content[:at] + content[at + len(other) :],
                "flipped": content[:at]
                + bytes(byte ^ 1 << (other[0] % 8) for byte in content[at : at + 1])
                + content[at + 1 :],
            }[kind]
        return content


CHANGE = st.tuples(
    st.sampled_from(["cut", "changed", "more", "less", "flipped"]), st.floats(0, 1), st.binary(min_size=1, max_size=8)
)
DAMAGE = st.lists(CHANGE, min_size=1, max_size=3).map(Damage)
NUMBERS = st.one_of(
    st.integers(-3, 40), st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 2**63, 1e308, 5e-324, 1e-45])
)
ANYTHING = st.one_of(NUMBERS, st.none(), st.booleans(), st.text(max_size=4), st.lists(st.floats(), max_size=3))
