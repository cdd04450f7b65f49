"""The one error that means: what the caller gave cannot be used; and other errors, told in one line."""

import errno

# With which torch, of any device, and the loaders of libraries say it
NO_MEMORY = (
    "allocate memory",
    "out of memory",
    "bad_alloc",
    "bad allocation",
    "not enough memory",
    "failed to map segment",
)


class InputError(ValueError):
    """An argument, file or setting that cannot be used.

    The message is one line that names what is wrong, what is allowed and, where there is one, the remedy. Jobs of the
    pipeline print it without a traceback. It is printable, whatever the names in it hold.
    """

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))


def one_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return printable(" ".join(str(error).split()))


def printable(text: str) -> str:
    """Return a text in which what a terminal would obey, or what breaks lines, is written as in Python: ``\\x1b``."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory: Python's own, the system's, or one of torch or another library."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError | OSError | ImportError) and any(words in said for words in NO_MEMORY)
