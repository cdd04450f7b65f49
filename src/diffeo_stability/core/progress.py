"""One line on a terminal that counts what is done."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from torch import Tensor

ERASE_LINE = "\r\x1b[K"
Show = Callable[[str], None]
Batch = TypeVar("Batch", bound=Sequence[Tensor])


@contextmanager
def progress_line(wanted: bool) -> Iterator[Show]:
    """Yield a function that shows a text on stderr in place of the one before; it does nothing where no terminal can do that."""
    if not wanted or not _can_erase():
        yield lambda _text: None
        return
    try:
        yield lambda text: print(f"{ERASE_LINE}{text}", end="", file=sys.stderr, flush=True)
    finally:
        print(file=sys.stderr)


def _can_erase() -> bool:
    """Whether stderr is a terminal that obeys; a process may also have none at all."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def counted(batches: Iterable[Batch], total: int, show: Show, doing: str) -> Iterator[Batch]:
    """Yield batches, and show after each how many of all images that makes.

    Args:
        batches: tensors for the same images, whose number the first one tells.
        total: number of images.
        show: of :func:`progress_line`.
        doing: what is done with them, e.g. ``measured``.
    """
    done = 0
    for batch in batches:
        yield batch
        done += len(batch[0])
        show(f"{doing} {done} of {total} images")
