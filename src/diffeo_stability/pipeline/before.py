"""What the jobs of a run will read, checked before any of them starts.

Snakemake removes what a job made before it starts the job, and when it has failed. A job that refuses what it reads is too late.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from .records import check_unchanged, hash_of, record_of, written_at

HASHES = Path(".snakemake", "hashes")  # folder in which hashes are remembered until their files are written to
CLOCK = Path(".snakemake", "clock")
SLACK = 1.0  # seconds: file systems note times this coarsely


def check_inputs(jobs: Iterable[Any], config: str) -> None:
    """Check that all that jobs will read is what other jobs wrote, and is not from the future.

    Files are told by sizes and times, where they were hashed before; else by their hashes.

    Args:
        jobs: Snakemake's own objects of all jobs that it is about to run; what one of them makes is not checked.
        config: the run's configuration file, as to be named to the user.

    Raises:
        InputError: one line for each file that is not.
    """
    jobs = [job for job in jobs if not job.is_norun]
    made = {str(path) for job in jobs for path in job.output}
    read = dict.fromkeys(str(path) for job in jobs for path in job.input)
    paths = [path for path in read if path not in made and Path(path).exists()]
    now = _clock_of_files()
    wrong = [line for path in paths for line in (*_from_the_future(path, now, config), *_changed(path))]
    if wrong:
        raise InputError("\n".join(wrong))


def _clock_of_files() -> float:
    """What time it is to the file system that gives files their times, which may be another machine's."""
    CLOCK.parent.mkdir(exist_ok=True)
    CLOCK.touch()
    return CLOCK.stat().st_mtime


def _from_the_future(path: str, now: float, config: str) -> Iterator[str]:
    """Yield a line if a file was written later than now: Snakemake takes what is made from it for older, and removes it."""
    written = written_at(path)
    if written > now + SLACK:
        then, today = (time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when)) for when in (written, now))
        recorded = f"run python -m diffeo_stability adopt {config}, which checks all files and sets their times to now"
        remedy = recorded if record_of(path).exists() else f"touch {path}"
        yield (
            f"{path} is from the future ({then}, and now it is {today}), so that whatever is made from it would be outdated at "
            f"once: set the clock right, or {remedy}; then run again"
        )


def _changed(path: str) -> Iterator[str]:
    """Yield a line if a file with a record is not what its job wrote."""
    if record_of(path).exists():
        try:
            check_unchanged(path, hash_of(path, HASHES))
        except InputError as error:
            yield str(error)
