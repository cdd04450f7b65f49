"""Waiting for other processes: as long as a busy machine takes, and not forever."""

import subprocess
import time
from collections.abc import Callable

HANGS = 1200  # seconds without an end, in which even the slowest machine would be done


def wait_until(holds: Callable[[], bool], what: str, run: subprocess.Popen | None = None) -> None:
    """Wait until a condition holds.

    Args:
        holds: the condition.
        what: it says, for the error.
        run: a process that is to bring it about; one that ends before is an error.

    Raises:
        RuntimeError: the process has ended or something hangs, and the condition does not hold.
    """
    deadline = time.monotonic() + HANGS
    while not holds():
        ended = run is not None and run.poll() is not None
        if (ended and not holds()) or time.monotonic() > deadline:
            raise RuntimeError(f"waited for {what}: {'the run has ended' if ended else f'{HANGS} s were not enough'}")
        time.sleep(0.1)
