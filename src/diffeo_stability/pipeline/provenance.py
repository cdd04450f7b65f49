"""Where a result comes from: records followed from a figure through tables, measurements and checkpoints down to the data.

At every step they say whether the file on disk is still the one that was made or used.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import InputError
from ..data.contents import content_hash, located, memory_beside
from ..data.files import METADATA, read_json
from .records import hash_of, record_of

SHORT = 12  # digits of a hash that are printed
GIVEN = ("config", "workflow")  # folders of what no job makes
MADE = ("results", "figures")  # of what jobs make
DATASET = "images.safetensors"  # made too, in any folder


@dataclass
class Origin:
    """A file or folder of a run, and what it was made from.

    Attributes:
        path: from the project's folder.
        state: ``ok``; ``changed``, if it is not what its record or its user says; ``missing``; ``given``, if it is part of the
            project; ``outside``, if somebody brought it along and it is as it was when it was used; ``no record``, if a job made
            it but nothing is known of how; ``as above``, where it stands in the tree before.
        rule: the rule that made it.
        facts: what there is to say of it, in lines.
        sources: what it was made from.
        sha256: its hash when it was used; as it is now, where nothing that is followed used it.
    """

    path: str
    state: str
    rule: str = ""
    facts: list[str] = field(default_factory=list)
    sources: list["Origin"] = field(default_factory=list)
    sha256: str = ""

    def matches(self) -> bool:
        """Whether everything on the way down to the data is as it was."""
        return self.state in ("ok", "as above", "given", "outside") and all(source.matches() for source in self.sources)

    def given(self) -> dict[str, str]:
        """Return the hashes of what the way leads down to, by path: data sets, and files that somebody brought along."""
        own = {self.path: self.sha256} if Path(self.path).name == DATASET or self.state == "outside" else {}
        return own | {path: found for source in self.sources for path, found in source.given().items()}


def trace(path: str | Path) -> Origin:
    """Follow a figure, table, checkpoint or any other result down to the data.

    Paths in records are taken from the working directory, which has to be the project's folder.

    Args:
        path: a file or folder that a job made, or a copy of a figure, which carries its own record.

    Raises:
        InputError: it is not there, or nothing is known of how it was made.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    seen: dict[str, tuple[str, str]] = {}
    carried = embedded_record(path)
    if carried is not None:
        sources = [_follow(name, expected, seen) for name, expected in carried["tables"].items()]
        own = read_json(record_of(path))["sha256"] if record_of(path).exists() else None
        return Origin(str(path), _state(hash_of(path), own), f"draw_{carried['stem']}", _facts(carried), sources)
    made = _maker(path)
    if made is None:
        raise InputError(
            f"nothing is known of how {path} was made: it has no record {record_of(path)}, and carries none"
        )
    origin = _follow(str(made), None, seen)
    if made == path:
        return origin
    if path.suffix != ".safetensors":
        return Origin(str(path), origin.state, "part of", [], [origin])
    state = _state(hash_of(path), read_json(path.with_suffix(".json"))["sha256"])
    return Origin(str(path), state, "a checkpoint of", _checkpoint_facts(path), [origin])


def _maker(path: Path) -> Path | None:
    """The path itself or the folder it lies in, whichever has a record."""
    return next((one for one in (path, path.parent) if record_of(one).exists()), None)


def _follow(name: str, expected: str | None, seen: dict[str, tuple[str, str]]) -> Origin:
    """What a path was made from.

    Args:
        expected: its hash when it was used.
        seen: hash and state, by path, of what was followed before, which is neither hashed nor followed again.
    """
    path = Path(name)
    if not path.exists():
        return Origin(name, "missing", sha256=expected or "")
    if name in seen:
        found, before = seen[name]
        state = _state(found, expected)
        return Origin(name, "as above" if state == before == "ok" else state, sha256=expected or found)
    found = hash_of(path)
    used = expected or found
    record_path = record_of(path)
    if not record_path.exists():
        state = _state(found, expected)
        facts = [f"sha256 {found[:SHORT]}"]
        return Origin(name, _unrecorded(path) if state == "ok" else state, facts=facts, sha256=used)
    record = read_json(record_path)
    facts = [*_contents(path), *_facts(record)]
    origin = Origin(name, _state(found, record["sha256"], expected), record["rule"], facts, sha256=used)
    seen[name] = found, origin.state
    origin.sources = [_follow(source, used, seen) for source, used in record["inputs"].items()]
    origin.sources += [_brought_along(source, used, path) for source, used in record.get("contents", {}).items()]
    return origin


def _brought_along(name: str, expected: str, made: Path) -> Origin:
    """Images or weights of the user's own, from which something was made."""
    if not located(name).exists():
        return Origin(name, "missing")
    found = content_hash(name, memory_beside(made))
    return Origin(name, "outside" if found == expected else "changed", facts=[f"sha256 {found[:SHORT]}"])


def _unrecorded(path: Path) -> str:
    """What an unchanged file without a record is."""
    if path.parts[0] in GIVEN:
        return "given"
    return "no record" if path.parts[0] in MADE or path.name == DATASET else "outside"


def _state(found: str, *expected: str | None) -> str:
    return "ok" if all(one in (None, found) for one in expected) else "changed"


def _facts(record: dict) -> list[str]:
    code = f"commit {record['commit'][:SHORT]}{' (with changes)' if record['dirty'] else ''}"
    facts = [f"run {record['run']}, config {record['config'][:SHORT]}, {code}"]
    if "versions" in record:
        facts.append(", ".join(f"{name} {number}" for name, number in record["versions"].items()))
    if "probe" in record.get("params", {}):
        facts.append(f"probe seed {record['params']['probe']['seed']}")
    return facts


def _contents(path: Path) -> list[str]:
    """What a data set or the checkpoints of a training say of themselves."""
    if path.is_dir():
        checkpoints = sorted(path.glob("[!.]*.json"))
        return _checkpoint_facts(checkpoints[-1]) if checkpoints else []
    if path.name == DATASET:
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as file:
            return [f"data sha256 {json.loads(file.metadata()[METADATA])['sha256'][:SHORT]}"]
    return []


def _checkpoint_facts(path: Path) -> list[str]:
    """Network, seeds and data of a checkpoint."""
    metadata = read_json(path.with_suffix(".json"))
    network = metadata["network"]
    return [
        f"network {metadata['net']} ({network['name']}), seed {metadata['seed']}, split seed {metadata['split']['seed']}, "
        f"epoch {metadata['epoch']}, data sha256 {metadata['dataset']['sha256'][:SHORT]}"
    ]


def embedded_record(path: str | Path) -> dict | None:
    """Return what a figure file carries of where it comes from; nothing if it is no figure of this package.

    Raises:
        InputError: a figure that carries nothing, or is damaged.
    """
    path = Path(path)
    if path.suffix == ".png":
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(path) as image:
                text = image.info.get("Description")
        except (OSError, UnidentifiedImageError) as error:
            raise InputError(f"{path} is no PNG image: {error}") from None
    elif path.suffix == ".pdf":
        text = _pdf_keywords(path.read_bytes())
    else:
        return None
    try:
        record = json.loads(text)
        return record if record["tables"] is not None else None
    except (TypeError, ValueError, KeyError):
        raise InputError(f"{path} carries no record of where it comes from: draw it anew with this version") from None


def _pdf_keywords(content: bytes) -> str | None:
    """The keywords of a PDF that matplotlib wrote: a literal string with escaped brackets."""
    start = content.rfind(b"/Keywords (")
    if start < 0:
        return None
    text, position, depth = bytearray(), start + len(b"/Keywords ("), 1
    while position < len(content):
        byte = content[position : position + 1]
        if byte == b"\\":
            position += 1
            byte = content[position : position + 1]
        elif byte == b"(":
            depth += 1
        elif byte == b")":
            depth -= 1
            if depth == 0:
                return text.decode("latin-1")
        text += byte
        position += 1
    return None


MARKS = {
    "outside": "brought from outside, unchanged",
    "changed": "CHANGED since",
    "missing": "MISSING",
    "no record": "NO RECORD of how it was made",
}


def as_tree(origin: Origin) -> str:
    """Return what a result was made from as a readable tree: one line per file, and facts that do not stand above it already."""
    return "\n".join(_tree_lines(origin, "", "", frozenset()))


def _tree_lines(origin: Origin, first: str, rest: str, known: frozenset[str]) -> list[str]:
    lines = [f"{first}{origin.path}  [{MARKS.get(origin.state, origin.state)}]  {origin.rule}".rstrip()]
    inner = rest + ("│  " if origin.sources else "   ")
    lines += [f"{inner}{fact}" for fact in origin.facts if fact not in known]
    for place, source in enumerate(origin.sources):
        last = place == len(origin.sources) - 1
        branch, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
        lines += _tree_lines(source, rest + branch, rest + below, known | set(origin.facts))
    return lines
