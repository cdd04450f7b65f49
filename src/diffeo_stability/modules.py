"""Which modules of this package a file imports, directly or through others, read from the source without running it.

Snakemake does not see imports. A rule lists what this module finds as inputs, so that editing a module reruns what uses it.
"""

import ast
import hashlib
import importlib.util
from pathlib import Path

from . import HOMES

PACKAGE = Path(__file__).parent


def modules_used_by(path: str | Path) -> list[Path]:
    """Return the source files of this package that a Python file needs, sorted."""
    found: set[Path] = set()
    pending = [Path(path)]
    while pending:
        for module in _direct_imports(pending.pop()):
            if module not in found:
                found.add(module)
                pending.append(module)
    return sorted(found)


def source_of(module: str) -> Path | None:
    """Return the source file of any importable module, found without running it; nothing if there is none."""
    top, *steps = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not steps:
        return Path(spec.origin) if spec.has_location else None
    for folder in spec.submodule_search_locations or ():
        place = Path(folder, *steps)
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


def code_hash(module: str) -> str:
    """Return a hash of a module of this package and of all that it needs."""
    source = PACKAGE / f"{module}.py"
    digest = hashlib.sha256()
    for path in sorted({source, *modules_used_by(source)}):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _direct_imports(path: Path) -> set[Path]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            imported = {alias.name for alias in node.names}
            names |= {base, *(f"{base}.{name}" for name in imported)}
            if base == PACKAGE.name:
                names |= {f"{base}.{HOMES[name]}" for name in imported & HOMES.keys()}
    return {source for name in names if (source := _source(name)) is not None}


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = [PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1]]
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def _source(name: str) -> Path | None:
    """Source file of a module of this package; the package itself imports nothing by itself, so it does not count."""
    steps = name.split(".")
    if steps[0] != PACKAGE.name or len(steps) == 1:
        return None
    base = PACKAGE.joinpath(*steps[1:])
    candidates = [base.with_suffix(".py"), base / "__init__.py"]
    return next((candidate for candidate in candidates if candidate.is_file()), None)
