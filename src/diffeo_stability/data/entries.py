"""Files and folders in a folder or an archive, each read when it is asked for.

Archives are read as a stream and never unpacked, so that nothing in them can land outside; and in bounded memory, or refused.
"""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ..core.errors import InputError, one_line, printable, shortened
from .contents import is_hidden, is_image, walk
from .files import as_input_error, most_unpacked, open_regular, read_bounded, remedy_for

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")
ZIP_SUFFIX = ".zip"
UNPACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}  # by what compressed files begin with
LARGEST_FILE = 64 * 2**20  # bytes; no image of a sensible size is larger
LONGEST_PATH = 4096  # letters of a name in an archive; systems allow no more
LARGEST_HEADER = 2**18  # bytes of a member of a tar archive: its name, and what else systems note of it
MOST_NOTES = 1000  # that apply to a member: all are copied for the next one
MOST_OTHERS = 100_000  # members of an archive that are no images, beyond as many as there are images
Entry = tuple[str, Callable[[], bytes] | None]  # name, and what reads it, of a file; name and nothing, of a folder


def entries_of(path: Path) -> Iterator[Entry]:
    """Yield all files and folders that are not hidden, by name; a file is read when it is asked for, before the next entry is.

    Args:
        path: a folder, or an archive (``TAR_SUFFIXES``, ``.zip``, in small or capital letters).

    Raises:
        InputError: it is neither, cannot be read, is damaged, holds links or paths that leave it, or unpacks to far more than
            images do.
    """
    if path.is_dir():
        yield from _folder_entries(path)
        return
    check_kind(path)
    entries = _zip_entries if path.name.lower().endswith(ZIP_SUFFIX) else _tar_entries
    with _named_if_broken(path), open_regular(path) as file:
        for name, read in entries(path, file):
            steps = PurePosixPath(name)
            if not any(map(is_hidden, steps.parts)):
                yield str(steps), None if read is None else partial(_read_packed, path, read)


def check_kind(path: Path) -> None:
    """Raise :class:`InputError` if something is neither a folder nor, by its name, an archive."""
    name = path.name.lower()
    if not (path.is_dir() or name.endswith((*TAR_SUFFIXES, ZIP_SUFFIX))):
        raise InputError(
            f"{path} is neither a folder nor an archive: it must end in {', '.join(TAR_SUFFIXES)} or {ZIP_SUFFIX}"
        )


@contextmanager
def _named_if_broken(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # readers of archives have errors of many kinds for what is damaged
        why, remedy = one_line(error) or type(error).__name__, remedy_for(error, "replace it")
        raise InputError(f"{path} is truncated or no archive ({why}): {remedy}") from None


def _read_packed(path: Path, read: Callable[[], bytes]) -> bytes:
    with _named_if_broken(path):
        return read()


def _folder_entries(path: Path) -> Iterator[Entry]:
    """Those of a folder; a link to nothing may have been one to the folder of a class, whatever it is called."""
    for entry in sorted(Path(folder, name) for folder, folders, files in walk(path) for name in (*folders, *files)):
        try:
            if entry.is_symlink() and not entry.exists():
                raise InputError(f"{entry} is a link to something that is not there: mend or remove it")
            is_folder = entry.is_dir()
        except OSError as error:  # it may not be looked at
            raise as_input_error(error, entry) from None
        yield entry.relative_to(path).as_posix(), None if is_folder else partial(_read_file, entry)


def _read_file(path: Path) -> bytes:
    try:
        return read_bounded(path, LARGEST_FILE)
    except OSError as error:
        raise as_input_error(error, path) from None


def _tar_entries(path: Path, file: BinaryIO) -> Iterator[Entry]:
    stream = _Bounded(_unpacked(file), path)
    members = _Members(path)
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            archive.members = []  # where it keeps all that it has read
            stream.begin_member()
            if max(len(archive.pax_headers), len(member.pax_headers)) > MOST_NOTES:
                raise stream.header_too_large()
            regular = (member.isfile() and not member.issparse()) or member.isdir()
            members.check(member.name, member.size, regular=regular)
            yield member.name, partial(stream.content, member) if member.isfile() else None
    stream.check_ended()


def _unpacked(file: BinaryIO) -> BinaryIO:
    """A file as it was before it was compressed, if it was."""
    start = file.read(8)
    file.seek(0)
    unpack = next((unpack for signature, unpack in UNPACKERS.items() if start.startswith(signature)), None)
    return file if unpack is None else unpack(file)


class _Bounded:
    """What a tar archive unpacks to, of which headers and all that is read are bounded before they are in memory.

    Args:
        stream: the unpacked archive.
        path: of the archive.
    """

    def __init__(self, stream: BinaryIO, path: Path):
        self._stream = stream
        self._path = path
        self._most = most_unpacked(path)
        self._header = 0
        self._last = b""
        self.tell = stream.tell

    def begin_member(self) -> None:
        self._header = 0

    def header_too_large(self) -> InputError:
        return InputError(f"{self._path} holds far more than its files and their names: refused; pack the images alone")

    def read(self, size: int) -> bytes:
        self._header += size
        if self._header > LARGEST_HEADER:
            raise self.header_too_large()
        self._check(self.tell() + size)
        self._last = self._stream.read(size)
        return self._last

    def seek(self, place: int) -> int:
        self._check(place)
        return self._stream.seek(place)

    def content(self, member: tarfile.TarInfo) -> bytes:
        """Return what a file holds whose size was checked."""
        self.seek(member.offset_data)
        content = self._stream.read(member.size)
        if len(content) < member.size:
            raise EOFError(f"{member.name} ends too early")
        return content

    def check_ended(self) -> None:
        """Check that the archive ends where it says so, which is by a block of zeros, and that all of it was read.

        What reads it takes a damaged header for its end; and compressed files hold at their ends what tells damage.

        Raises:
            EOFError: it ends too early.
        """
        if self._last != bytes(tarfile.BLOCKSIZE):
            raise EOFError("it ends too early, or the header of a file in it is damaged")
        while self._stream.read(LARGEST_HEADER):
            self._check(self.tell())

    def _check(self, place: int) -> None:
        if place > self._most:
            raise _unpacks_too_far(self._path)


def _zip_entries(path: Path, file: BinaryIO) -> Iterator[Entry]:
    members, images = _Members(path), set()
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            place = PurePosixPath(member.filename)  # the same for all ways to spell it
            if place in images:
                twice = printable(member.filename)
                raise InputError(f"{path} holds {twice} twice: it is not clear which one counts; pack the images anew")
            images |= {place} if is_image(place.name) else set()
            kind = member.external_attr >> 28  # the file type of a Unix mode; 0 where the archive has none
            members.check(member.filename, member.file_size, regular=kind in (0, 4, 8))
            yield member.filename, None if member.is_dir() else partial(_zip_content, archive, member)


def _zip_content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """What a file holds, of the size that was checked, whatever more it unpacks to."""
    with archive.open(member) as file:
        return file.read(member.file_size)


class _Members:
    """What the members of an archive add up to, so that it is refused before it fills the memory or takes hours.

    Args:
        path: of the archive.
    """

    def __init__(self, path: Path):
        self._path = path
        self._most = most_unpacked(path)
        self._bytes = 0
        self._others = 0

    def check(self, name: str, size: int, *, regular: bool) -> None:
        """Refuse the archive for its next member, or for all so far.

        Args:
            size: of the member, in bytes.
            regular: whether it is a file or a folder.
        """
        path, steps, letters, name = (
            self._path,
            PurePosixPath(name),
            len(name),
            shortened(printable(name), LONGEST_PATH),
        )
        self._bytes += size
        self._others += -1 if size and is_image(steps.name) else 1
        if steps.is_absolute() or ".." in steps.parts:
            raise InputError(f"{path} holds {name}, a path that leaves the archive: refused")
        if letters > LONGEST_PATH:
            raise InputError(f"{path} holds a name of {letters:,} letters: refused, {LONGEST_PATH:,} are the most")
        if not regular:
            raise InputError(f"{path} holds {name}, a link or device: refused; pack the images themselves")
        if not 0 <= size <= LARGEST_FILE:
            raise InputError(f"{path} holds {name} of {size / 2**20:.0f} MiB: refused, an image has at most 64 MiB")
        if self._bytes > self._most:
            raise _unpacks_too_far(path)
        if self._others > MOST_OTHERS:
            raise InputError(
                f"{path} holds {MOST_OTHERS:,} more empty files, folders and files that are no images than images: refused; pack "
                "the images alone"
            )


def _unpacks_too_far(path: Path) -> InputError:
    return InputError(f"{path} unpacks to a hundred times its size and more: refused, images do not")
