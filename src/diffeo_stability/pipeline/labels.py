"""Names of networks, classes and layers as figures show them: short enough, each another one, in letters that the font has."""

import logging
from collections import Counter
from collections.abc import Sequence
from functools import cache

import matplotlib
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import TextPath

WIDTH = 1.5  # inches
TAILS = (0.5, 0.75, 0.25, 0.0)  # shares of a shortened name that are its end, by preference
TEXT_SIZE = 8  # points, of the largest labels
logger = logging.getLogger(__name__)


def as_texts(names: Sequence[str], inches: float = WIDTH) -> list[str]:
    """Return names as figures show them: what is long has an ellipsis in the middle, and a dollar sign begins no formula.

    Args:
        names: of networks, classes or layers, as people wrote them.
        inches: width that none exceeds. Those that would then be the same end in a number.
    """
    for name in names:
        warn_of_missing_letters(name)
    choices = [[_shortened(name, inches, tail) for name in names] for tail in TAILS]
    shortened = max(choices, key=lambda texts: len(set(texts)))  # the first of several
    called = dict(zip(names, shortened, strict=True))
    counts = Counter(called.values())
    alike = {name for name, text in called.items() if counts[text] > 1}
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names), start=1) if name in alike}
    return [
        _without_mathematics(f"{_shortened(name, 0.8 * inches, 0.0)} {numbers[name]}" if name in alike else text)
        for name, text in zip(names, shortened, strict=True)
    ]


def as_text(name: str, inches: float = WIDTH) -> str:
    """Return one name as figures show it; see :func:`as_texts`."""
    return as_texts([name], inches)[0]


@cache
def warn_of_missing_letters(text: str) -> None:
    """Say it of a text, once, if the font lacks letters of it."""
    font = get_font(findfont(FontProperties(family=matplotlib.rcParams["font.family"])))
    missing = [letter for letter in dict.fromkeys(text) if not font.get_char_index(ord(letter))]
    if missing:
        logger.warning("%s: figures show boxes for %s, which the font lacks: use another label", text, "".join(missing))


def _without_mathematics(name: str) -> str:
    return name.replace("$", r"\$")


def _shortened(name: str, inches: float, tail: float) -> str:
    """A name of at most a width, an ellipsis for what is left out; ``tail`` is the share of what is kept that is its end."""

    def with_letters(count: int) -> str:
        end = round(tail * count)
        return f"{name[: count - end]}…{name[len(name) - end :]}"

    count, text = len(name), name
    while count and width_of(text) > inches:
        count = min(count - 1, int(count * inches / width_of(text)))
        text = with_letters(max(count, 1))
    return text


@cache
def width_of(text: str) -> float:
    """Return the width of a text that is no mathematics, in inches."""
    return TextPath((0, 0), _without_mathematics(text), size=TEXT_SIZE).get_extents().width / 72
