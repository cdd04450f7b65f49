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

from ..core.errors import InputError
from ..data.files import read_json, sha256_of, write_json

FOLDER = ".provenance"


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


def hash_of(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of all files in a folder, hidden ones left out."""
    path = Path(path)
    if path.is_file():
        return sha256_of(path)
    files = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path)))
    listing = [[file.relative_to(path).as_posix(), sha256_of(file)] for file in files]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def hashes_of(paths: Iterable[str | Path], root: str | Path = ".") -> dict[str, str]:
    """Return the hash of every path, by its name from ``root``."""
    root = Path(root).absolute()
    return {_name_from(path, root): hash_of(path) for path in paths}


def _name_from(path: str | Path, root: Path) -> str:
    # As named first: a folder of results that is a link to another disk still lies in the project
    for place, below in ((Path(path).absolute(), root), (Path(path).resolve(), root.resolve())):
        if place.is_relative_to(below):
            return place.relative_to(below).as_posix()
    return Path(path).resolve().as_posix()


def record_of(path: str | Path) -> Path:
    """Return where the record of a file or folder lies."""
    return Path(path).parent / FOLDER / f"{Path(path).name}.json"


def read_record(record: str | Path) -> dict[str, Any]:
    """Return what a record says.

    Raises:
        InputError: it is missing, or no record.
    """
    content = {
        "contents": {},
        **read_json(record, sha256=str, inputs=dict),
    }  # records of older versions have no contents
    for entry in ("inputs", "contents"):
        if not isinstance(content[entry], dict) or not all(isinstance(value, str) for value in content[entry].values()):
            raise InputError(
                f"{record} is no record (its entry {entry} holds no hashes by name): delete it and what it belongs to"
            )
    return content


def checked_hashes_of(paths: Iterable[str | Path]) -> dict[str, str]:
    """Return the hash of every path, by its name from the working directory.

    Raises:
        InputError: a file or folder has a record, and is not what its job wrote.
    """
    paths = list(paths)
    hashes = hashes_of(paths)
    for path, found in zip(paths, hashes.values(), strict=True):
        record = record_of(path)
        if record.exists() and read_record(record)["sha256"] != found:
            raise InputError(
                f"{path} is not what its job wrote (damaged, half-written or edited): delete it, run again"
            )
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
