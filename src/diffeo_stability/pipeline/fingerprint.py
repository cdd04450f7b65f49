"""Fingerprints of the code that decides a result, read from the sources without running them.

A rule has one among its params, so that a job is run again when its code changes, and only then. What of a file is code,
:mod:`diffeo_stability.pipeline.reading` says; that of modules which decide no number (``MACHINERY``) does not count. An import
counts if something that is left uses it: then its module's code counts too, if it is of this package or the user's own. Of the
user's own files every import counts, used or not, and so do the packages that they lie in: importing them runs their code.
"""

import hashlib
import importlib.util
import sysconfig
from collections.abc import Iterable
from functools import cache
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import NamedTuple

from .. import HOMES
from ..core.errors import InputError
from ..data.files import sha256_of
from ..networks.catalogue import ARCHITECTURES
from .reading import Import, read_source

PACKAGE = Path(__file__).parents[1]
# Settings decide by their values, which are params themselves; facts of data sets and networks likewise; the rest stores,
# finds and describes results
MACHINERY = (
    "settings.py",
    "*/settings.py",
    "core/checks.py",
    "core/errors.py",
    "data/fetching.py",
    "data/files.py",
    "data/sources.py",
    "data/store.py",
    "data/tensors.py",
    "networks/catalogue.py",
    "networks/checkpoints.py",
    "networks/progress.py",
    "figures/__init__.py",
    "figures/registry.py",
    "figures/*/__init__.py",
    "pipeline/*.py",
)
BUILDER = PACKAGE / "networks" / "build.py"  # imports the file of a network by its name
INSTALLED = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


class Code(NamedTuple):
    """A source file, stripped of what is no code.

    Attributes:
        digest: hash of its syntax tree.
        imports: sources that it uses and whose code counts.
    """

    digest: str
    imports: frozenset[Path]


def fingerprint(*roots: str | Path) -> str:
    """Return the fingerprint of source files and of all that they use.

    Args:
        roots: scripts, notebooks or modules, wherever they lie; moving one changes nothing. They count, machinery or not.

    Raises:
        SyntaxError: a file is no Python.
    """
    digest = hashlib.sha256()
    for path in sources_used_by(*roots):
        digest.update(_code_of(path).digest.encode())
    return digest.hexdigest()[:32]


def fingerprint_of_module(name: str) -> str:
    """Return the fingerprint of a module that need not be of this package, and of all files that it uses.

    Of one that is installed all files of its package count, as they are.

    Raises:
        InputError: there is no such module.
        SyntaxError: a file is no Python.
    """
    source = source_of(name)
    if source is None:
        top = name.partition(".")[0]
        raise InputError(f"{name} is not found: install it, or start with PYTHONPATH=<the folder of {top}>")
    if _is_installed(source) and not source.is_relative_to(PACKAGE):
        top = source_of(name.partition(".")[0])
        files = sorted(top.parent.rglob("*.py")) if top is not None and top.name == "__init__.py" else [source]
        return hashlib.sha256("".join(map(sha256_of, files)).encode()).hexdigest()[:32]
    architectures = sorted(ARCHITECTURES.glob("*.py")) if BUILDER in sources_used_by(source) else []
    return fingerprint(source, *architectures)


def sources_used_by(*roots: str | Path) -> list[Path]:
    """Return source files and all those that they use, in an order that does not depend on where they lie."""
    found: set[Path] = set()
    pending = [Path(root).absolute() for root in roots]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += _code_of(path).imports
    return sorted(found, key=lambda path: (path.name, _code_of(path).digest))


def unseen_by(module: str, files: Iterable[Path]) -> list[Path]:
    """Return those of the user's own files, in order, that are not among what a module's fingerprint covers."""
    source = source_of(module)
    if source is None or _is_installed(source):  # then its package counts, and what else there is of it is installed
        return []
    seen = set(sources_used_by(source))
    return sorted(file for file in files if file not in seen and _is_own(file))


def source_of(module: str) -> Path | None:
    """Return the source file of any importable module, found without running it; nothing if there is none."""
    top, *steps = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # of a module that was run as a script
        return None
    if spec is None:
        return None
    if not steps:
        return Path(spec.origin) if spec.has_location else None
    places = (Path(folder, *steps) for folder in spec.submodule_search_locations or ())
    return next((source for place in places if (source := _source_at(place)) is not None), None)


def _source_at(place: Path) -> Path | None:
    """The file that Python takes for a module of which the path is known but for its ending."""
    candidates = (place / "__init__.py", *(place.with_name(place.name + suffix) for suffix in all_suffixes()))
    return next((path for path in candidates if path.is_file()), None)


@cache
def _code_of(path: Path) -> Code:
    if path.suffix != ".py":
        return Code(sha256_of(path), frozenset())
    reading = read_source(path)
    sources = {source for alias in reading.used for source in _sources_of(path, alias)}
    if not path.is_relative_to(PACKAGE):
        every = {source for alias in reading.imports for source in _sources_of(path, alias)}
        sources |= {source for source in every if not source.is_relative_to(PACKAGE)} | _package_of(path)
    return Code(reading.digest, frozenset(source for source in sources if _counts(source)))


def _package_of(path: Path) -> set[Path]:
    """What runs before a file of the user's own does: the package that it lies in, if it does."""
    folder = path.parents[1] if path.name == "__init__.py" else path.parent
    return {folder / "__init__.py"} if (folder / "__init__.py").is_file() else set()


def _sources_of(path: Path, alias: Import) -> set[Path]:
    """Source files of the module from which a name comes, and of the name, if that is a module."""
    if not path.is_relative_to(PACKAGE) and alias.module.startswith("."):
        return _sources_beside(path, alias)
    base = _absolute(path, alias.module)
    names = [base, f"{base}.{alias.name}"] if alias.name else [base]
    if base == PACKAGE.name and (not alias.name or alias.name in HOMES):
        names = [f"{base}.{home}" for home in ([HOMES[alias.name]] if alias.name else HOMES.values())]
    found = {source for name in names if (source := _source(name)) is not None}
    if found or path.is_relative_to(PACKAGE) or source_of(base) is not None:
        return found
    # It may be there once the file has changed the places where Python looks
    return _sources_beside(path, alias._replace(module=f".{base}"))


def _sources_beside(path: Path, alias: Import) -> set[Path]:
    """Those of an import by a relative name, in a file of the user's own."""
    name = alias.module.lstrip(".")
    folder = path.parents[len(alias.module) - len(name) - 1]
    base = folder.joinpath(*name.split(".")) if name else folder
    places = [base, base / alias.name] if alias.name else [base]
    return {source for place in places if (source := _source_at(place)) is not None}


def _absolute(path: Path, module: str) -> str:
    """The absolute name of a module that a file of this package imports by its relative one."""
    name = module.lstrip(".")
    level = len(module) - len(name)
    if not level:
        return name
    parts = [PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1]]
    return ".".join([*parts[: len(parts) - level + 1], *([name] if name else [])])


@cache
def _source(name: str) -> Path | None:
    """Source file of a module of this package or of the user's own."""
    top, *steps = name.split(".")
    if top == PACKAGE.name:
        place = PACKAGE.joinpath(*steps)
        candidates = (place.with_suffix(".py"), place / "__init__.py") if steps else ()
        return next((path for path in candidates if path.is_file()), None)
    source = source_of(name)
    return None if source is None or _is_installed(source) else source


def _is_own(source: Path) -> bool:
    return not source.is_relative_to(PACKAGE) and not _is_installed(source)


def _is_installed(source: Path) -> bool:
    return any(source.is_relative_to(place) for place in INSTALLED)


def _counts(source: Path) -> bool:
    if not source.is_relative_to(PACKAGE):
        return True
    return not any(source.relative_to(PACKAGE).match(pattern) for pattern in MACHINERY)
