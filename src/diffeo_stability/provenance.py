"""Where a result comes from: commit, configuration, versions."""

import hashlib
import json
import platform
import subprocess
from functools import cache
from importlib.metadata import version


def software_versions() -> dict[str, str]:
    """Return the versions that decide a result."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy")}}


@cache
def commit() -> str:
    """Return the commit of the working tree, with ``-dirty`` where it has changes, or ``unknown`` outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def config_hash(config: dict) -> str:
    """Return the SHA-256 of a configuration, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
