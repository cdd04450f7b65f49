"""A record beside every file that a job makes, which names what it was made from, by which code and with which settings.

It lies at ``.provenance/<name>.json`` beside its file.
"""

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ..core.errors import InputError, one_line
from ..data.contents import hashes_in
from ..data.files import LARGEST_JSON, read_bounded, write_json

FOLDER = ".provenance"
TIMESTAMP = ".snakemake_timestamp"  # by which Snakemake goes in a folder that a job made


class Record(BaseModel):
    """How a file or folder was made; see :func:`write_records`.

    Attributes:
        sha256: hash of what was made.
        rule, params: of the job that made it.
        run, config: name and hash of the configuration.
        commit, dirty, versions: of the code.
        inputs, contents: hashes of what the job read, by name; those of older versions have no contents.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    sha256: str
    rule: str
    run: str
    config: str
    commit: str
    dirty: bool
    versions: dict[str, str] = {}
    params: dict[str, Any]
    inputs: dict[str, str]
    contents: dict[str, str] = {}


def software_versions() -> dict[str, str]:
    """Return the versions that decide a result."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy")}}


@cache
def code_state() -> Mapping[str, Any]:
    """Return the commit of the working tree, ``unknown`` outside git, and whether it has changes, new files included.

    A project that lies in a repository which does not track it, unpacked there from an archive, is outside git.
    """
    return {"commit": _git("rev-parse", "HEAD") or "unknown", "dirty": bool(_git("status", "--porcelain"))}


def commit_time() -> str | None:
    """Return when the commit of the working tree was made, in ISO 8601; nothing outside git."""
    return _git("log", "-1", "--format=%cI")


def _git(*arguments: str) -> str | None:
    here = Path.cwd()
    project = next((folder for folder in (here, *here.parents) if (folder / "Snakefile").is_file()), here)

    def run(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=project, capture_output=True, text=True, check=True).stdout.strip()

    try:
        run("ls-files", "--error-unmatch", "Snakefile")
        return run(*arguments)
    except (OSError, subprocess.CalledProcessError):
        return None


def config_hash(config: dict) -> str:
    """Return the SHA-256 of a configuration, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def hash_of(path: str | Path, memory: Path | None = None) -> str:
    """Return the SHA-256 of a file, or of the names and contents of all files in a folder, hidden ones left out.

    Args:
        memory: folder in which to remember hashes, see :func:`diffeo_stability.data.contents.hashes_in`.
    """
    path = Path(path)
    if path.is_file():
        return hashes_in(path, [""], memory)[""]
    files = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path)))
    names = [file.relative_to(path).as_posix() for file in files]
    return hashlib.sha256(json.dumps([*map(list, hashes_in(path, names, memory).items())]).encode()).hexdigest()


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def hashes_of(paths: Iterable[str | Path], root: str | Path = ".") -> dict[str, str]:
    """Return the hash of every path, by its name from ``root``."""
    return {name_of(path, root): hash_of(path) for path in paths}


def name_of(path: str | Path, root: str | Path = ".") -> str:
    """Return the name of a path from ``root``: the absolute one, if it lies elsewhere."""
    root, place = Path(root).absolute(), Path(path).absolute()
    # As named first: a folder of results that is a link to another disk still lies in the project
    if not place.is_relative_to(root):
        root, place = root.resolve(), place.resolve()
    return (place.relative_to(root) if place.is_relative_to(root) else place).as_posix()


def record_of(path: str | Path) -> Path:
    """Return where the record of a file or folder lies."""
    return Path(path).parent / FOLDER / f"{Path(path).name}.json"


def written_at(path: str | Path) -> float:
    """Return when a file or folder was written as Snakemake takes it, in seconds since the epoch."""
    stamp = Path(path, TIMESTAMP)
    dated = stamp if stamp.exists() else Path(path)
    return max(dated.lstat().st_mtime, dated.stat().st_mtime)


def files_in(inputs: Any) -> list[str]:
    """Return the files and folders that a job reads, which are those that have a name in its rule.

    Args:
        inputs: Snakemake's own object, ``input`` of a job.
    """
    named = dict(inputs.items()).values()
    return [str(path) for files in named for path in ([files] if isinstance(files, str) else files)]


def read_record(path: str | Path) -> Record:
    """Return the record of a file or folder.

    Raises:
        InputError: it is missing, or no record.
    """
    place = record_of(path)
    try:
        return Record.model_validate(json.loads(read_bounded(place, LARGEST_JSON)))
    except ValidationError as error:
        entry = ".".join(map(str, error.errors()[0]["loc"])) or "whole"
        raise InputError(f"{place} is no record of how {path} was made ({entry}): delete {path}, run again") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{place} cannot be read ({one_line(error)}): delete {path}, run again") from None


def check_unchanged(path: str | Path, found: str) -> None:
    """Check that a file or folder, if it has a record, has the hash that stands there.

    Args:
        found: its hash.

    Raises:
        InputError: it has another one, or the record cannot be read.
    """
    if record_of(path).exists() and read_record(path).sha256 != found:
        raise InputError(f"{path} is not what its job wrote (damaged, half-written or edited): delete it, run again")


def checked_hashes_of(paths: Iterable[str | Path]) -> dict[str, str]:
    """Return the hash of every path, by its name from the working directory.

    Raises:
        InputError: a file or folder has a record, and is not what its job wrote.
    """
    paths = list(paths)
    hashes = hashes_of(paths)
    for path, found in zip(paths, hashes.values(), strict=True):
        check_unchanged(path, found)
    return hashes


def write_records(
    outputs: Iterable[str | Path],
    *,
    rule: str,
    inputs: Mapping[str, str],
    params: Mapping[str, Any],
    config: dict,
    contents: Mapping[str, str] | None = None,
) -> None:
    """Write a record beside everything that a job has made.

    Args:
        rule: the job's rule.
        inputs: hashes of the files and folders that it read, by name.
        params: its settings, and the fingerprint of its code.
        config: the run's configuration.
        contents: hashes of what it read of the user's own (:func:`diffeo_stability.data.contents.content_hash`), by name.
    """
    made_by = {
        "rule": rule,
        **code_state(),
        "versions": software_versions(),
        "run": config["run"],
        "config": config_hash(config),
        "params": dict(params),
        "inputs": dict(inputs),
        "contents": dict(contents or {}),
    }
    for path in outputs:
        write_json(record_of(path), {"sha256": hash_of(path), **made_by})
