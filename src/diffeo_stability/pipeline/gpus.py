"""Several GPUs on one machine, shared out to jobs: Snakemake counts them, but does not say which one a job may use.

A job takes a GPU by locking a file, and keeps it until its process ends, however it ends.
"""

import atexit
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

SECONDS_BETWEEN_TRIES = 0.2
logger = logging.getLogger(__name__)


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
            logger.warning("all %d GPUs are taken: waiting for one", len(identifiers))
            told = True
        time.sleep(SECONDS_BETWEEN_TRIES)


def _lock(path: Path) -> bool:
    """Lock a file for as long as this process lives; whether it was free."""
    from filelock import FileLock, Timeout  # a quarter of a second to import, and few machines have several GPUs

    lock = FileLock(path, mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    atexit.register(lock.release)  # which keeps the lock until then; it also goes with a process that is killed
    return True
