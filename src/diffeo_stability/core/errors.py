"""The one error that means: what the caller gave cannot be used; and other errors, told in one line."""

import errno
import signal
import sysconfig
import traceback
from collections.abc import Collection
from itertools import islice
from pathlib import Path

# With which torch, of any device, and the loaders of libraries say it
NO_MEMORY = (
    "allocate memory",
    "out of memory",
    "bad_alloc",
    "bad allocation",
    "not enough memory",
    "failed to map segment",
)
INTERRUPTED = 128 + signal.SIGINT  # exit status of what Ctrl-C ends
LONGEST = 2000  # letters of what is said in one line; other libraries name everything that there is
# Folders of this package, of Python and of what is installed
NOT_OWN = (Path(__file__).parents[1], *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")))


class InputError(ValueError):
    """An argument, file or setting that cannot be used.

    The message is one line that names what is wrong, what is allowed and, where there is one, the remedy. Jobs of the
    pipeline print it without a traceback. It is printable, whatever the names in it hold.
    """

    def __str__(self) -> str:
        return printable_lines(super().__str__())


def one_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return shortened(printable(" ".join(str(error).split())), LONGEST)


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many letters, and how many more there are."""
    return text if len(text) <= most else f"{text[:most]} ... ({len(text) - most:,} letters more)"


def printable(text: str) -> str:
    """Return a text in which what a terminal would obey, or what breaks lines, is written as in Python: ``\\x1b``."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines with each of them :func:`printable`."""
    return "\n".join(map(printable, text.split("\n")))


def few(names: Collection, shown: int = 3) -> str:
    """Return the first few of some names or numbers, and how many more there are: ``a, b, c and 4 more``."""
    first = ", ".join(map(str, islice(names, shown)))
    return f"{first} and {len(names) - shown} more" if len(names) > shown else first


def where(error: BaseException) -> str:
    """Return in which file and line code of the user's own failed, as ``, my_networks.py:3``; nothing if none of it did."""
    frames = ((Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__))
    own = [(file, line) for file, line in frames if file.is_file() and not any(map(file.is_relative_to, NOT_OWN))]
    return f", {own[-1][0].name}:{own[-1][1]}" if own else ""


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory: Python's own, the system's, or one of torch or another library."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError | OSError | ImportError) and any(words in said for words in NO_MEMORY)
