"""What a source file says: its code, stripped of what is none, and what it imports.

Comments, docstrings, annotations, formatting and the order of imports are no code. As Python keeps what it has compiled, what was
read is kept beside its bytecode: a run's sources are read whenever it is planned, and on a cluster by every job.
"""

import ast
import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import NamedTuple

from ..core.errors import InputError
from ..data.files import read_bounded, write_json

LARGEST_NOTE = 2**20  # bytes


class Import(NamedTuple):
    """One name that is imported.

    Attributes:
        module: from which; with as many dots in front as the import has.
        name: of what is imported from it; empty for ``import module``.
        bound: the name by which it is known afterwards; ``*`` for all names of a module, and for a call of ``import_module``.
    """

    module: str
    name: str
    bound: str


class Reading(NamedTuple):
    """What a source file says.

    Attributes:
        digest: hash of its code.
        imports: all that it imports.
        used: those of them that its code mentions.
    """

    digest: str
    imports: frozenset[Import]
    used: frozenset[Import]


def read_source(path: Path) -> Reading:
    """Return what a source file says, whether it was read before or not.

    Raises:
        SyntaxError: it is no Python, or too deep.
        OSError: it cannot be read.
    """
    source = path.read_bytes()
    state = hashlib.sha256(_this_version() + source).hexdigest()
    note = None if sys.dont_write_bytecode else Path(cache_from_source(str(path))).with_suffix(".reading.json")
    known = None if note is None else _recall(note, state)
    if known is not None:
        return known
    try:
        reading = _read(parsed(source, path))
    except RecursionError:
        raise _too_deep(path) from None
    if any(len(alias.module) - len(alias.module.lstrip(".")) > len(path.parents) for alias in reading.imports):
        raise SyntaxError(f"{path.name} imports from above all folders: take dots away")
    if note is not None:
        # Only time is lost where nothing can be kept
        with contextlib.suppress(InputError, OSError):
            note.parent.mkdir(exist_ok=True)
            write_json(note, {"state": state, **{name: _plain(value) for name, value in reading._asdict().items()}})
    return reading


def parsed(source: bytes, path: Path) -> ast.Module:
    """Return the syntax tree of a source file.

    Raises:
        SyntaxError: it is no Python, or too deep.
    """
    try:
        return ast.parse(source, str(path))
    except (RecursionError, MemoryError):  # the parser has both for what is nested too deeply
        raise _too_deep(path) from None


def _too_deep(path: Path) -> SyntaxError:
    return SyntaxError(f"{path.name} nests too many steps within each other, in a long sum or elif, say: divide them")


@cache
def _this_version() -> bytes:
    return Path(__file__).read_bytes()


def _plain(value: str | frozenset[Import]) -> str | list[Import]:
    return value if isinstance(value, str) else sorted(value)


def _recall(note: Path, state: str) -> Reading | None:
    """What was kept of a source in this state; nothing if that is of another one, or no such note."""
    try:
        kept = json.loads(read_bounded(note, LARGEST_NOTE))
        if kept.pop("state") != state:
            return None
        return Reading(
            kept["digest"], *(frozenset(Import(*each) for each in kept[name]) for name in ("imports", "used"))
        )
    except (InputError, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _read(tree: ast.Module) -> Reading:
    reader = _Reader()
    code = reader.read(tree)
    used = sorted(alias for alias in reader.imports if alias.bound in reader.used)
    digest = hashlib.sha256(f"({[*map(tuple, used)]}, {code})".encode()).hexdigest()
    return Reading(digest, frozenset(reader.imports), frozenset(used))


class _Reader:
    """Reads a syntax tree, in one pass, as text: nested tuples of what is code.

    Left out are docstrings, annotations, what only type checkers see, and fields that are empty: newer versions of Python have
    more of these. Imports are kept apart.

    Attributes:
        imports: all that is imported.
        used: all names that the code mentions.
    """

    def __init__(self):
        self.imports: set[Import] = set()
        self.used: set[str] = {EVERYTHING}

    def read(self, node: object) -> str | None:
        kind = type(node)
        if kind is list:
            return f"[{', '.join(code for child in node if (code := self.read(child)) is not None)}]"
        if not isinstance(node, ast.AST):
            return None if node is None else repr(node)
        if kind is ast.Import or kind is ast.ImportFrom:
            self.imports.update(_imported_by(node))
            return None
        if kind is ast.Call:
            self.imports.update(_imported_by_call(node))
        if kind is ast.Name:
            self.used.add(node.id)
        elif (kind is ast.Expr and isinstance(node.value, ast.Constant)) or _is_for_type_checkers(node):
            return None
        fields = [(name, self.read(getattr(node, name, None))) for name in _fields_with_code(kind)]
        entries = [f"('{name}', {code})" for name, code in fields if code is not None and code != "[]"]
        return f"('{kind.__name__}', {', '.join(entries)})" if entries else f"('{kind.__name__}',)"


NO_CODE = {
    (ast.arg, "annotation"),
    (ast.AnnAssign, "annotation"),  # what is left of it says that a field is declared
    (ast.FunctionDef, "returns"),
    (ast.AsyncFunctionDef, "returns"),
}
EVERYWHERE = ("kind", "type_comment")
EVERYTHING = "*"


@cache
def _fields_with_code(kind: type[ast.AST]) -> tuple[str, ...]:
    return tuple(name for name in kind._fields if (kind, name) not in NO_CODE and name not in EVERYWHERE)


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _imported_by(node: ast.Import | ast.ImportFrom) -> Iterator[Import]:
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield Import(alias.name, "", alias.asname or alias.name.partition(".")[0])
        else:
            yield Import("." * node.level + (node.module or ""), alias.name, alias.asname or alias.name)


def _imported_by_call(node: ast.Call) -> Iterator[Import]:
    """What ``import_module("name")`` and ``__import__("name")`` import."""
    function = getattr(node.func, "id", getattr(node.func, "attr", None))
    first = node.args[0] if node.args else None
    if function in ("import_module", "__import__") and isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield Import(first.value, "", EVERYTHING)
