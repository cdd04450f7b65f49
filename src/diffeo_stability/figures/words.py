"""Numbers and names as sentences of captions say them, for one network and for thirty.

What a run shows is said by a function in the room of its figure, ``describe_<stem>(tables)`` of the module ``findings``. It is
given the tables of the run by name, and returns a sentence or two of reStructuredText; or raises :class:`MissingError` where
there is nothing to say. Names that people gave go into sentences by :func:`network` and :func:`verbatim` alone.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from ..core.errors import printable
from .claim_measures import Measured

NAMED_AT_MOST = 5
# What reStructuredText, Markdown or a template could take for something else than itself
MARKUP = re.compile(r"[\\`*_|{}%<>\[\]$#~:^&@]")
NETWORK = re.compile(r":net:`([^`]*)`")


class Tested(NamedTuple):
    """What the images that nets are measured on are called, and the error on them.

    Attributes:
        image, images: one of them, and several.
        error: share of misclassified ones.
    """

    image: str
    images: str
    error: str


def tested(dataset: Mapping[str, Any]) -> Tested:
    """Return what to call a data set's images.

    Args:
        dataset: block of the configuration, as plain values. Where its images are ``test_only``, the weights come from elsewhere,
            and may have been trained on them.
    """
    if dataset.get("test_only", False):
        return Tested("image", "images", "error on these images")
    return Tested("test image", "test images", "test error")


def network(name: str) -> str:
    """Return what stands for a network in a sentence; captions put its label there, which the configuration may give."""
    return f":net:`{name}`"


def verbatim(name: str) -> str:
    """Return a name such that it reads as it is, in reStructuredText and in Markdown, whatever it holds."""
    return MARKUP.sub(r"\\\g<0>", printable(name))


def with_labels(text: str, labels: Mapping[str, str]) -> str:
    """Return a text in which every :func:`network` has its label; its name, if it has none."""
    return NETWORK.sub(lambda found: verbatim(labels.get(found[1], found[1])), text)


def in_plain_text(text: str, labels: Mapping[str, str]) -> str:
    """Return a text that is no markup, in which every :func:`network` has its label; its name, if it has none."""
    return NETWORK.sub(lambda found: printable(labels.get(found[1], found[1])), text)


def number(value: float) -> str:
    """Return a number with two digits, three from 100 on."""
    if not math.isfinite(value):
        return "undefined"
    if value == 0:
        return "0"
    digits = max(0, 1 - math.floor(math.log10(abs(float(f"{value:.2g}")))))
    return f"{value:,.{digits}f}" if digits < 5 else f"{value:.1e}"


def factor(value: float) -> str:
    """Return a ratio, which may be near 1, with three digits."""
    return f"{value:.3g}"


def decimals(value: float) -> str:
    """Return a number that may be on either side of zero, with two decimals; zero has no sign."""
    return f"{value:z.2f}"


def fold(value: float) -> str:
    """Return a factor as ``2.5-fold``."""
    return f"{number(value)}-fold"


def percent(share: float) -> str:
    """Return a share in per cent."""
    return f"{number(100 * share)}%"


def with_interval(measured: Measured, say: Callable[[float], str] = number) -> str:
    """Return a number with its 95% interval in brackets."""
    return f"{say(measured.value)} ({say(measured.low)} to {say(measured.high)})"


def span(values: Iterable[float], say: Callable[[float], str] = number) -> str:
    """Return the smallest and the largest of several numbers, ``0.2 to 1.3``; one number where they read alike."""
    values = list(values)
    low, high = say(min(values)), say(max(values))
    return low if low == high else f"{low} to {high}"


def listed(items: Collection[str], most: int = NAMED_AT_MOST) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``; from so many on only the first are named."""
    items = list(items)
    if len(items) > most:
        items = [*items[: most - 1], f"{len(items) - most + 1} more"]
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]])) if items else "none"


def count_of(count: int, total: int, what: str = "nets") -> str:
    """Return ``3 of 5 nets``; of one, ``the one net`` or ``no net``."""
    if total == 1:
        return f"{'the one' if count else 'no'} {what.removesuffix('s')}"
    return f"{count} of {total} {what}"


def plural(count: int, what: str) -> str:
    """Return ``1 seed``, ``5 seeds``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def averaged_over(seeds: int) -> str:
    """Return the sentence that says over how many seeds numbers are averaged; nothing for one."""
    return f"Numbers are geometric means over {plural(seeds, 'seed')}." if seeds > 1 else ""


def each(values: Mapping[str, float], say: Callable[[float], str] = number) -> str:
    """Return what was measured of each network: of all where there are few, else from the smallest to the largest; where these
    read alike, ``2.0 in 10 nets``."""
    if len(values) <= NAMED_AT_MOST:
        return listed([f"{say(value)} in {network(name)}" for name, value in values.items()])
    smallest, largest = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    ends = {say(values[name]): f"{say(values[name])} ({network(name)})" for name in (smallest, largest)}
    return f"{' to '.join(ends.values() if len(ends) > 1 else ends)} in {len(values)} nets"


def p_value(p: float) -> str:
    """Return ``p = 0.03``; ``p < 0.001`` for smaller ones."""
    return "p < 0.001" if p < 0.001 else f"p = {number(p)}"
