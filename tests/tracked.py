"""The project's own files: run files, networks and images of whoever uses it may lie beside them."""

import subprocess
from pathlib import Path

import pytest


def tracked_files(root: Path, *patterns: str) -> list[Path]:
    """Return the files that git tracks and that still exist; a test that asks for them is skipped outside of git."""
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=root, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("the project was not cloned by git, which knows its files")
    return [path for name in listed.stdout.split("\0") if name and (path := root / name).exists()]
