"""A run that was copied without its times: checked against its records, then given times in which nothing is out of date."""

import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from ..core.errors import InputError
from ..data.contents import content_hash, located
from ..data.files import is_there
from .config import Run
from .records import FOLDER, TIMESTAMP, Record, hash_of, read_record


def adopt(config: Run) -> int:
    """Check every file of a run against the record of the job that made it, and then give all of them one time: now.

    Paths are taken from the working directory, which has to be the project's folder.

    Returns:
        How many files and folders of the run there are.

    Raises:
        InputError: there are none, or some are not what their job wrote or what they were made from: one line for each; then all
            times stay as they are.
    """
    datasets = (Path(config.data_dir, folder) for folder in config.datasets)
    places = (*datasets, Path("results", config.run), Path("figures", config.run))
    records = {path: read_record(path) for place in places for path in _recorded_in(place)}
    if not records:
        raise InputError(f"there is nothing of run {config.run} here: copy its data, results and figures first")
    found = cache(lambda path: hash_of(path) if is_there(path) else None)
    wrong = [line for path, record in records.items() for line in _mismatches(path, record, found)]
    if wrong:
        raise InputError("\n".join(wrong))
    now = time.time()
    for path in records:
        if path.is_dir():
            (path / TIMESTAMP).touch()
            os.utime(path / TIMESTAMP, (now, now))
        os.utime(path, (now, now))
    # To Snakemake, benchmarks are outputs, too
    for path in (*Path("logs", config.run).rglob("*.tsv"), *Path("logs", "datasets").glob("*.tsv")):
        os.utime(path, (now, now))
    return len(records)


def _recorded_in(folder: Path) -> Iterator[Path]:
    """Yield everything below a folder that has a record."""
    for record in sorted(folder.rglob(f"{FOLDER}/*.json")):
        yield record.parents[1] / record.name.removesuffix(".json")


def _mismatches(path: Path, record: Record, found: Callable[[Path], str | None]) -> Iterator[str]:
    """Yield a line for each thing about a file that is not as its record says."""
    if found(path) is None:
        yield f"{path} is missing: copy it, or delete its record in {path.parent / FOLDER}"
    elif found(path) != record.sha256:
        yield f"{path} is not what its job wrote (damaged, half-written or edited): delete it, run again"
    used = {name: (found(Path(name)), expected) for name, expected in record.inputs.items()}
    # Images and weights of one's own need not have come along
    brought = {name: expected for name, expected in record.contents.items() if is_there(located(name))}
    used |= {name: (content_hash(name), expected) for name, expected in brought.items()}
    for name, (now, expected) in used.items():
        if now not in (None, expected):
            yield f"{path} was made from another {name}: delete {path}, run again"
