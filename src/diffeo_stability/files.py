"""Writes that either happen whole or not at all, and hashes of what was written."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError

METADATA = "json"  # the one entry of a safetensors file's metadata


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it becomes ``path`` if the block ends well, and vanishes if it does not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)


def write_json(path: str | Path, content: Mapping) -> None:
    """Write a JSON file, atomically and with its keys in the order given."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n")


def read_json(path: str | Path) -> dict:
    """Read a JSON file.

    Raises:
        InputError: it is missing or is no JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): delete it and run again, to make it anew") from None


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
