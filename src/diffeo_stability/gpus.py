"""Several GPUs on one machine, shared out to jobs: Snakemake counts them, but does not say which one a job may use.

A job takes a GPU by locking a file, and keeps it until its process ends, however it ends.
"""

import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

SECONDS_BETWEEN_TRIES = 0.2


def lock_folder() -> Path:
    """Return the folder of the lock files: one of the user's own, for all runs on this machine."""
    return Path(tempfile.gettempdir(), f"diffeo-stability-gpus-{os.getuid()}")


def take_gpu(identifiers: Sequence[str], folder: str | Path | None = None) -> int:
    """Take a GPU that no other job holds, waiting for one if need be, until this process ends.

    Args:
        identifiers: of the GPUs, names that mean the same GPU in every process.
        folder: of the lock files.

    Returns:
        Its place among the identifiers.
    """
    folder = Path(folder or lock_folder())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = False
    while True:
        for place, identifier in enumerate(identifiers):
            if _lock(folder / f"{identifier}.lock"):
                return place
        if not told:
            print(f"all {len(identifiers)} GPUs are taken: waiting for one", file=sys.stderr)
            told = True
        time.sleep(SECONDS_BETWEEN_TRIES)


def _lock(path: Path) -> bool:
    """Lock a file for as long as this process lives; whether it was free."""
    # Left open on purpose: the lock goes with the process, also when that is killed
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True
