"""Writes that either happen whole or not at all, and hashes of what was written."""

import errno
import glob
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..core.errors import InputError, lacks_memory
from ..core.memory import memory_of_machine

METADATA = "json"  # the one entry of a safetensors file's metadata
LARGEST_JSON = 16 * 2**20  # bytes, which take thirty times as many in memory; records of 50,000 files are smaller
SLACK = 64 * 2**20  # bytes that a file may unpack to whatever its own size
REMEDIES = {
    errno.ENOMEM: "free some memory",
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "make it writable",
    errno.EACCES: "allow yourself to read and write it",
    errno.EPERM: "allow yourself to read and write it",
    errno.ENOTDIR: "move away the file that lies where a folder has to be",
    errno.EISDIR: "move away the folder that lies where a file has to be",
    errno.ELOOP: "mend or remove the link, which leads to itself",
    errno.EEXIST: "move away what lies where a folder has to be",
    errno.ENOENT: "see that it, or the folder that it goes into, is there",
    errno.ENAMETOOLONG: "shorten it",
    errno.EIO: "see to the disk, which fails",
    errno.ESTALE: "mount its folder anew",
}

NEVER_OPENED = (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP)  # what systems say of sockets, and of devices of no driver


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it becomes ``path`` if the block ends well, and vanishes if it does not.

    Raises:
        InputError: it cannot be written, for a reason that the user can mend.
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_replaceable(path)
        yield partial
        partial.replace(path)
    except OSError as error:
        raise as_input_error(error, path) from None
    finally:
        with suppress(OSError):  # where it cannot be, nothing is left of it
            _remove(partial)


def check_replaceable(path: str | Path) -> None:
    """Check that what lies at a path, if anything, is no pipe, socket or device, in whose place a file would be put.

    Raises:
        InputError: it is one.
        OSError: it cannot be looked at.
    """
    with suppress(FileNotFoundError):
        mode = Path(path).stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InputError(f"{path} is a pipe, socket or device: name a file, which can be replaced")


def as_input_error(error: OSError, path: str | Path, usual: str | None = None) -> Exception:
    """Return the one-line error for what the system refused to do with a file; the same error if it has no known remedy.

    Args:
        path: the file, if the error does not name it itself.
        usual: the remedy where none is known.
    """
    remedy = REMEDIES.get(error.errno, usual)
    if remedy is None:
        return error
    return InputError(f"{error.filename or path}: {error.strerror}: {remedy}, then run again")


def remedy_for(error: Exception, usual: str) -> str:
    """Return what to do about a file that cannot be read: the usual thing, and to free memory if there was not enough."""
    return f"{usual}, or free some memory" if lacks_memory(error) else usual


def check_access(folder: str | Path, *, write: bool) -> None:
    """Check that a folder can be read, and written to if that is asked; one that is not there is fine, unless a link leads to it.

    Raises:
        InputError: it cannot, or is none.
    """
    try:
        mode = Path(folder).stat().st_mode
    except OSError as error:
        if error.errno == errno.ENOENT and not Path(folder).is_symlink():
            return
        raise as_input_error(error, folder) from None
    allowed = os.access(folder, os.R_OK | os.X_OK | (os.W_OK if write else 0))
    number = errno.ENOTDIR if not stat.S_ISDIR(mode) else None if allowed else errno.EACCES
    if number is not None:
        raise as_input_error(OSError(number, os.strerror(number), str(folder)), folder)


def remove_leftovers(path: str | Path) -> None:
    """Remove what writes of a file that were killed have left beside it."""
    for leftover in _leftovers(Path(path)):
        _remove(leftover)


def remove_leftovers_of_the_dead(path: str | Path) -> None:
    """The same where others may be writing the file: what belongs to processes that run on this machine is left alone."""
    path = Path(path)
    for leftover in _leftovers(path):
        process = leftover.name.removeprefix(f".{path.stem}.").removesuffix(path.suffix)
        if process.isdecimal() and not _is_running(int(process)):
            _remove(leftover)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _leftovers(path: Path) -> list[Path]:
    return list(path.parent.glob(f".{glob.escape(path.stem)}.*{glob.escape(path.suffix)}"))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # another user's
    return True


def write_json(path: str | Path, content: Mapping) -> None:
    """Write a JSON file, atomically and with its keys in the order given."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n")


def is_there(path: str | Path) -> bool:
    """Return whether a file or folder is there; one with a name that none can have, being too long, say, is not."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file to be read; a pipe, a socket or a device, which would be waited for or never end, is none.

    Raises:
        InputError: it is none.
        OSError: it is missing, or may not be read.
    """
    other = InputError(f"{path} is no regular file, but a folder, pipe, socket or device: remove it, or name a file")
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        if error.errno in NEVER_OPENED:
            raise other from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise other
    return os.fdopen(descriptor, "rb")


def read_bounded(path: str | Path, most: int) -> bytes:
    """Return what a file holds, of at most so many bytes.

    Raises:
        InputError: it holds more, or is no regular file.
        OSError: it is missing, or may not be read.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise InputError(f"{path} is larger than {most / 2**20:,.0f} MiB, the most that such a file has: refused")
    return content


def read_json(path: str | Path, **needed: type) -> dict:
    """Read a JSON file of an object.

    Args:
        needed: type of each entry that it must have, by name.

    Raises:
        InputError: it is missing, no JSON, no object, or lacks an entry.
    """
    try:
        content = json.loads(read_bounded(path, LARGEST_JSON))
        if not isinstance(content, dict):
            raise ValueError(f"it holds no entries by name, but {type(content).__name__}")
        wrong = [name for name, kind in needed.items() if not isinstance(content.get(name), kind)]
        if wrong:
            raise ValueError(f"its entry {wrong[0]} is missing or is no {needed[wrong[0]].__name__}")
        return content
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}): delete it and run again, to make it anew") from None


def most_unpacked(path: str | Path) -> int:
    """Return to how many bytes a compressed file may unpack before it is taken for one made to fill the memory."""
    return 100 * Path(path).stat().st_size + SLACK


def check_images_fit(size: int, path: str | Path) -> None:
    """Check that so many bytes of images, which are copied once, fit into the memory of this machine.

    Raises:
        InputError: they do not.
    """
    memory = memory_of_machine()
    if 2 * size > memory:
        raise InputError(
            f"{path} unpacks to {size / 2**30:,.0f} GiB or more: refused, half of this machine's {memory / 2**30:,.0f} GiB "
            "of memory is the most; set dataset.image_size, or leave images out"
        )


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        InputError: it is a folder, pipe, socket or device.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
