"""Where a result comes from: records followed from a figure through tables, measurements and checkpoints down to the data.

At every step they say whether the file on disk is still the one that was made or used.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..core.errors import InputError, printable
from ..data.contents import content_hash, located, memory_beside
from ..data.files import METADATA, is_there, read_json
from .carried import Carried, read_carried
from .records import Record, hash_of, read_record, record_of

SHORT = 12  # digits of a hash that are printed
GIVEN = ("config", "workflow")  # folders of what no job makes
MADE = ("results", "figures")  # of what jobs make
DATASET = "images.safetensors"  # made too, in any folder
UNSEALED = "what it shows: an older version drew it, whose figures carry no hash of their picture"
COPY = "as the file itself says, which is no more to be trusted than where it came from"


@dataclass
class Origin:
    """A file or folder of a run, and what it was made from.

    Attributes:
        path: from the project's folder.
        state: ``ok``; ``changed``, if it is not what its record or its user says; ``missing``; ``given``, if it is part of the
            project; ``outside``, if somebody brought it along and it is as it was when it was used; ``no record``, if a job made
            it but nothing is known of how; ``as above``, where it stands in the tree before; ``elsewhere``, if a figure names it
            that came from anywhere, and it does not lie below the project's folder, so that it is not looked at.
        rule: the rule that made it.
        facts: what there is to say of it, in lines.
        sources: what it was made from.
        sha256: its hash when it was used; as it is now, where nothing that is followed used it.
        unchecked: what there was no way to check.
    """

    path: str
    state: str
    rule: str = ""
    facts: list[str] = field(default_factory=list)
    sources: list["Origin"] = field(default_factory=list)
    sha256: str = ""
    unchecked: str = ""

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
    if not is_there(path):
        raise InputError(f"{path} does not exist")
    seen: dict[str, tuple[str, str]] = {}
    carried = read_carried(path)
    if carried is not None:
        return _figure(path, carried, seen)
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
    facts = _checkpoint_facts(path)
    state = _state(hash_of(path), read_json(path.with_suffix(".json")).get("sha256", ""))
    return Origin(str(path), state, "a checkpoint of", facts, [origin])


def _figure(path: Path, carried: Carried, seen: dict[str, tuple[str, str]]) -> Origin:
    """A figure, wherever it lies, by the record that it carries, and by the one that lies beside it if it does."""
    own, record = _record_beside(path), carried.record
    intact = carried.intact is not False and (own is None or own.sha256 == hash_of(path))
    return Origin(
        str(path),
        "ok" if intact else "changed",
        f"draw_{record.stem}",
        [*_facts(record.model_dump()), *([COPY] if own is None else [])],
        [_table(name, expected, seen) for name, expected in record.tables.items()],
        unchecked=UNSEALED if own is None and carried.intact is None else "",
    )


def _table(name: str, expected: str, seen: dict[str, tuple[str, str]]) -> Origin:
    """What a figure says that it was drawn from: that has to be a file of this project, made by a job."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return Origin(name, "elsewhere", sha256=expected)
    name = path.as_posix()  # the same for all ways to spell it, so that none is hashed twice
    if not (is_there(name) and Path(name).is_file()):
        return Origin(name, "missing", sha256=expected)
    origin = _follow(name, expected, seen)
    if origin.state in ("given", "outside"):
        origin.state = "no record"
    return origin


def _record_beside(path: Path) -> Record | None:
    """The record of a file or folder, if it has one."""
    return read_record(path) if is_there(record_of(path)) else None


def _maker(path: Path) -> Path | None:
    """The path itself or the folder it lies in, whichever has a record."""
    return next((made for made in (path, path.parent) if is_there(record_of(made))), None)


def _follow(name: str, expected: str | None, seen: dict[str, tuple[str, str]]) -> Origin:
    """What a path was made from.

    Args:
        expected: its hash when it was used.
        seen: hash and state, by path, of what was followed before, which is neither hashed nor followed again.
    """
    path = Path(name)
    if not is_there(path):
        return Origin(name, "missing", sha256=expected or "")
    if name in seen:
        found, before = seen[name]
        state = _state(found, expected)
        return Origin(name, "as above" if state == before == "ok" else state, sha256=expected or found)
    found = hash_of(path)
    used = expected or found
    record = _record_beside(path)
    if record is None:
        state = _state(found, expected)
        facts = [f"sha256 {found[:SHORT]}"]
        return Origin(name, _unrecorded(path) if state == "ok" else state, facts=facts, sha256=used)
    facts = [*_contents(path), *_facts(record.model_dump())]
    origin = Origin(name, _state(found, record.sha256, expected), record.rule, facts, sha256=used)
    seen[name] = found, origin.state
    origin.sources = [_follow(source, used, seen) for source, used in record.inputs.items()]
    origin.sources += [_brought_along(source, used, path) for source, used in record.contents.items()]
    return origin


def _brought_along(name: str, expected: str, made: Path) -> Origin:
    """Images or weights of the user's own, from which something was made."""
    if not is_there(located(name)):
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
    match record:
        case {"params": {"probe": {"seed": seed}}} | {"params": {"resampling": {"seed": seed}}}:
            facts.append(f"probe seed {seed}")
    return facts


def _contents(path: Path) -> list[str]:
    """What a data set or the checkpoints of a training say of themselves."""
    if path.is_dir():
        checkpoints = sorted(path.glob("[!.]*.json"), key=lambda place: (len(place.name), place.name))  # by epoch
        return _checkpoint_facts(checkpoints[-1]) if checkpoints else []
    if path.name == DATASET and path.is_file():
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                return [f"data sha256 {json.loads(file.metadata()[METADATA])['sha256'][:SHORT]}"]
        except (SafetensorError, KeyError, TypeError, ValueError, RecursionError):
            return []  # its hash tells that it is another file
    return []


def _checkpoint_facts(path: Path) -> list[str]:
    """Network, seeds and data of a checkpoint; of a network that was trained elsewhere, whose weights it has."""
    place = path.with_suffix(".json")
    metadata = read_json(place)
    try:
        network = metadata["network"]
        trained = f"seed {metadata['seed']}, split seed {metadata['split']['seed']}, epoch {metadata['epoch']}, "
        if "weights" in metadata and metadata["epoch"]:
            trained = f"weights {metadata['weights']}, trained elsewhere, "
        return [
            f"network {metadata['net']} ({network['name']}), {trained}"
            + (f"trained in {metadata['precision']}, " if "precision" in metadata else "")
            + f"data sha256 {metadata['dataset']['sha256'][:SHORT]}"
        ]
    except (KeyError, TypeError):
        raise InputError(
            f"{place} describes no checkpoint: delete {path.parent} and run again, to train anew"
        ) from None


MARKS = {
    "outside": "brought from outside, unchanged",
    "changed": "CHANGED since",
    "missing": "MISSING",
    "no record": "NO RECORD of how it was made",
    "elsewhere": "NOT LOOKED AT: no file of this project",
}


class Branches(NamedTuple):
    """What the branches of a tree are drawn with, three letters each.

    Attributes:
        fork, last: before a file, the last one below another.
        down: beside what stands below a fork.
    """

    fork: str
    last: str
    down: str


LINES = Branches("├─ ", "└─ ", "│  ")
ASCII = Branches("|- ", "`- ", "|  ")


def branches_in(encoding: str) -> Branches:
    """Return the branches that an encoding has the letters for."""
    try:
        "".join(LINES).encode(encoding)
    except UnicodeEncodeError:
        return ASCII
    return LINES


def as_tree(origin: Origin, branches: Branches = LINES) -> str:
    """Return what a result was made from as a readable tree: one line per file, and facts that do not stand above it already.

    It is printable, whatever the names in it hold.
    """
    return "\n".join(_tree_lines(origin, "", "", frozenset(), branches))


def _tree_lines(origin: Origin, first: str, rest: str, known: frozenset[str], drawn: Branches) -> list[str]:
    told = f"{origin.path}  [{MARKS.get(origin.state, origin.state)}]  {origin.rule}".rstrip()
    lines = [f"{first}{printable(told)}"]
    inner = rest + (drawn.down if origin.sources else "   ")
    lines += [f"{inner}{printable(fact)}" for fact in origin.facts if fact not in known]
    for place, source in enumerate(origin.sources):
        last = place == len(origin.sources) - 1
        branch, below = (drawn.last, "   ") if last else (drawn.fork, drawn.down)
        lines += _tree_lines(source, rest + branch, rest + below, known | set(origin.facts), drawn)
    return lines
