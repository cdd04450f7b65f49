"""What the user's own files hold, as a hash: by it results belong to them, and not by their names or times alone.

Of a folder its images count, as :mod:`diffeo_stability.data.folders` reads them, and nothing else is read. What was hashed before
is remembered, with all by which a file tells that it was written to, so that later a folder is only looked through.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import time
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NoReturn

from ..core.errors import InputError
from .files import as_input_error, is_there, sha256_of, write_json

PACKAGE = "package:"
# Formats of images, by Pillow's names: those that it reads by itself, while for some others it starts another program
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
# Folders of systems, beside files whose names begin with a dot: of thumbnails, of deleted files, and of what macOS packs besides
HIDDEN = ("@eadir", "#recycle", "$recycle.bin", "__macosx", "lost+found")
# Folders that links in links lead to: they multiply where each of a few has several links to another
MOST_LINKED = 10_000
MEMORY = ".contents"  # folder, beside a data set
SETTLED = (
    2e9  # nanoseconds: file systems note times this coarsely, and a second write in the same instant would not show
)
ABSENT = [0, 0, 0, 0, None]  # the state of a file that is not there
Files = dict[str, list]  # size, two times, inode and hash of every file, by its name
# Where a folder really lies, and before it every folder with a link that leads to it, the last one first
Way = tuple[Path, ...]


def located(source: str | Path) -> Path:
    """Return where a file or folder of the user's own lies: itself, or for ``package:<package>/<file>`` a file of a package.

    The package is found without being imported; where it is not installed, so is no file.
    """
    source = str(source)
    if not source.startswith(PACKAGE):
        return Path(source)
    package, _, file = source.removeprefix(PACKAGE).partition("/")
    top, *below = package.split(".")
    spec = _spec_of(top) if top.isidentifier() and file else None
    folders = () if spec is None else spec.submodule_search_locations or ()
    places = [Path(folder, *below, file) for folder in folders]
    return next(filter(is_there, places), Path(source))


def _spec_of(package: str) -> ModuleSpec | None:
    """Where a package lies, without importing it; nothing if it is not installed."""
    try:
        return importlib.util.find_spec(package)
    except ValueError:  # of what was run as a script
        return None


def content_hash(source: str | Path, memory: Path | None = None) -> str:
    """Return the SHA-256 of a file, or of the names and contents of all images in a folder.

    Args:
        source: see :func:`located`.
        memory: folder in which to remember hashes; it may not be there yet. None are remembered if not given, or if it cannot be
            written to.

    Raises:
        InputError: something cannot be read.
    """
    path = located(source)
    try:
        names = images_in(path) if path.is_dir() else [""]
    except OSError as error:
        raise as_input_error(error, path) from None
    hashes = hashes_in(path, names, memory, str(source))
    if path.is_file():
        return hashes[""]
    return hashlib.sha256(
        json.dumps([[f"/{name}" if name else "", found] for name, found in hashes.items()]).encode()
    ).hexdigest()


def hashes_in(
    path: Path, names: Sequence[str], memory: Path | None = None, known_as: str | None = None
) -> dict[str, str]:
    """Return the SHA-256 of files in a folder, by name; nothing for those that are not there.

    Args:
        path: the folder; or a file, whose name is empty.
        names: of the files, from the folder.
        memory: folder in which to remember hashes; it may not be there yet. None are remembered if not given, or if it cannot be
            written to.
        known_as: by which they are remembered; ``path`` if not given.

    Raises:
        InputError: something cannot be read.
    """
    note = (
        None if memory is None else memory / f"{hashlib.sha256((known_as or str(path)).encode()).hexdigest()[:16]}.json"
    )
    known = _recall(note)
    try:
        # Names are no paths here, of which tens of thousands would take seconds
        files = {name: _state_of(f"{path}/{name}" if name else str(path), known.get(name)) for name in names}
    except OSError as error:
        raise as_input_error(error, path) from None
    settled = {name: state for name, state in files.items() if _is_settled(state)}
    if note is not None and settled != known:
        # Only time is lost where nothing can be remembered
        with contextlib.suppress(InputError, OSError):
            write_json(note, settled)
    return {name: state[-1] for name, state in files.items()}


def memory_beside(path: str | Path) -> Path | None:
    """Return the folder with remembered hashes that lies beside a file; nothing if there is none."""
    memory = Path(path).parent / MEMORY
    return memory if memory.is_dir() else None


def images_in(folder: Path) -> list[str]:
    """Return the names of all images in a folder and those below it, from there and in order; none that is hidden."""
    found = []
    for place, _, files in walk(folder):
        above = Path(place).relative_to(folder).as_posix()
        found += [name if above == "." else f"{above}/{name}" for name in files if is_image(name)]
    return sorted(found)


def walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield every folder, with the names of all folders and files in it that are not hidden.

    Links are followed, but not to a folder that they lie in.

    Raises:
        InputError: a folder cannot be read, or links lead into each other or to more folders than ``MOST_LINKED``.
    """
    ways = {str(folder): (folder.resolve(),)}
    linked = 0
    for place, folders, files in os.walk(folder, followlinks=True, onerror=_refuse_unread):
        way = ways.pop(place)
        linked += len(way) > 2
        if linked > MOST_LINKED:
            raise InputError(
                f"{folder} holds more than {MOST_LINKED:,} folders by links in links: refused; link to each once"
            )
        below = {name: _way_to(name, way) for name in folders if not is_hidden(name)}
        ways |= {os.path.join(place, name): way for name, way in below.items() if way}  # noqa: PTH118 - as os.walk does
        folders[:] = [name for name, way in below.items() if way]
        yield place, folders, [name for name in files if not is_hidden(name)]


def _refuse_unread(error: OSError) -> NoReturn:
    raise as_input_error(error, error.filename, "make it readable, or remove it") from None


def _way_to(name: str, above: Way) -> Way:
    """The way to a folder from the one that it lies in; none if it is a link to a folder that it lies in itself."""
    here, *links = above
    folder = here / name
    real = folder.resolve()
    if here.is_relative_to(real):
        return ()
    if any(link.is_relative_to(real) for link in links):
        raise InputError(f"{folder} is a link to {real}, and links in there lead back to it: remove one of them")
    return (real, *links) if real == folder else (real, here, *links)


def is_hidden(name: str) -> bool:
    """Whether a file or folder, by its name alone, is none of the user's: all that lies in it is not, either."""
    return name.startswith(".") or name.lower() in HIDDEN


def is_image(name: str) -> bool:
    """Whether a file is read as an image: by the ending of its name, if it is not hidden."""
    stem, _, ending = name.rpartition(".")
    return stem != "" and not is_hidden(name) and f".{ending.lower()}" in _image_endings()


@cache
def _image_endings() -> frozenset[str]:
    from PIL import Image

    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in FORMATS)


def _state_of(path: str, known: list | None) -> list:
    """Size, time of its last write, time of its last change of any kind, inode and hash of a file.

    The time of the last write can be set to anything, but that changes the other one. A link to nothing has no hash.
    """
    try:
        status = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return ABSENT
    state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    return known if known is not None and known[:-1] == state else [*state, sha256_of(path)]


def _is_settled(state: list) -> bool:
    return max(state[1:3]) < time.time_ns() - SETTLED


def _recall(note: Path | None) -> Files:
    """What was noted, where it has the form of notes."""
    try:
        noted = None if note is None else json.loads(note.read_text())
    except (OSError, ValueError, RecursionError):
        noted = None
    found = noted.items() if isinstance(noted, dict) else ()
    return {name: state for name, state in found if isinstance(state, list) and len(state) == len(ABSENT)}
