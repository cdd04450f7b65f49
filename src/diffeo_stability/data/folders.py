"""Images in a tree ``train/<class>/*``, ``test/<class>/*``, or ``<class>/*`` alone, in a folder or straight from an archive.

Archives are read as a stream and never unpacked, so that nothing in them can land outside.
"""

import bz2
import gzip
import logging
import lzma
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..core.errors import InputError, one_line, printable
from .contents import FORMATS, is_image, walk
from .files import as_input_error, check_fits, is_there, most_unpacked, open_regular, read_bounded
from .requests import Request, fields_of

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")
UNPACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}  # by what compressed files begin with
LARGEST_FILE = 64 * 2**20  # bytes; no image of a sensible size is larger
LARGEST_HEADER = 2**18  # bytes of a member of a tar archive: its name, and what else systems note of it
MOST_NOTES = 1000  # that apply to a member: all are copied for the next one
MOST_OTHERS = 100_000  # members of an archive that are no images, beyond as many as there are images
PARTS = ("train", "test")
Found = dict[tuple[str, str], dict[str, np.ndarray]]  # pixels by part and class, then by name of the image
GREYS = ("1", "L", "LA", "La")
DEEP_GREYS = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # of 16 bits
Entry = tuple[str, Callable[[], bytes] | None]  # name, and what reads it, of a file; name and nothing, of a folder
logger = logging.getLogger(__name__)


def load_images(
    path: str | Path,
    image_size: int | None = None,
    *,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
) -> Tensor:
    """Read all images of a folder, or of a tar or zip archive, as a batch for a model, in the order of their names.

    >>> images = load_images("photos", 224, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])  # doctest: +SKIP

    Args:
        path: a folder with images in it or in folders below it; or an archive of one.
        image_size: the shorter side is scaled to it and the middle cropped; as they are if not given.
        mean, std: one number, or one per channel: ``(pixel / 255 - mean) / std`` is what the model gets.

    Returns:
        ``(N, C, n, n)`` float32 on the CPU, of all AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, PPM, TIFF and WebP files. Grey images
        have one channel if all are grey, else three.

    Raises:
        InputError: no images, a damaged image or archive, images of different sizes, that are not square or that do not fit
            into memory, a ``mean`` or ``std`` that does not fit the channels.
    """
    if not isinstance(path, str | PathLike):
        raise InputError(f"path is of type {type(path).__name__}: it must name a folder or an archive")
    path = Path(path)
    if not is_there(path):
        raise InputError(f"{path} does not exist")
    if image_size is not None and (not isinstance(image_size, int) or image_size < 1):
        raise InputError(f"image_size is {image_size}: it must be a whole number of at least 1")
    images = {name: image for _, name, image in _images(path, image_size, lambda name, folder: not folder)}
    if not images:
        raise InputError(f"{path} holds no image")
    _check_sizes(path, images)
    pixels = _stack([image for _, image in sorted(images.items())], _most_channels(images))
    channels, height, width = pixels.shape[1:]
    if height != width:
        raise InputError(f"{path}: images have {height} x {width} pixels, but must be square: set image_size")
    try:
        means, deviations = (torch.as_tensor(numbers, dtype=torch.float32).flatten() for numbers in (mean, std))
    except (TypeError, ValueError, RuntimeError, OverflowError):
        means = deviations = torch.empty(0)
    fit = len(means) in (1, channels) and len(deviations) in (1, channels)
    if not fit or not scales(means, deviations):
        raise InputError(
            f"mean and std must be one finite number or {channels}, one per channel, and std positive: {mean}, {std}"
        )
    return (pixels.float() / 255 - means.view(-1, 1, 1)) / deviations.view(-1, 1, 1)


def scales(mean: Tensor, std: Tensor) -> bool:
    """Whether images can be normalised by these numbers: finite, and standard deviations positive in single precision."""
    return bool(mean.isfinite().all() and (std > 0).all() and (1 / std).isfinite().all() and std.isfinite().all())


def read(request: Request) -> dict:
    """Return the fields of a :class:`Dataset` from a folder or archive; see :func:`read_image_folder`."""
    images, labels, classes = read_image_folder(Path(request.path), request.image_size, test_only=request.test_only)
    return fields_of({part: (images[part], labels[part]) for part in images}, classes)


def read_image_folder(
    path: Path, image_size: int | None = None, *, test_only: bool = False
) -> tuple[dict[str, Tensor], dict[str, Tensor], tuple[str, ...]]:
    """Read all images, in the order of their names.

    Args:
        path: a folder, or a ``.tar``, ``.tar.gz``, ``.tar.xz``, ``.tar.bz2`` or ``.zip`` of one.
        image_size: the shorter side is scaled to it and the middle cropped; as they are if not given.
        test_only: all images are test images, each of the class that the folder is named after in which it lies.

    Returns:
        Images ``(N, C, n, n)`` uint8 and labels ``(N,)`` int64, by part (``train`` and ``test``, or ``test``), and the classes by
        name, in the order of the labels.
        Grey images have one channel if all are grey, else three.

    Raises:
        InputError: no such tree, a class without images, a damaged image or archive, images of different sizes, classes
            that differ between the parts, or an archive with links, with paths that leave it, or that unpacks to far more
            than images do.
    """
    parts = ("test",) if test_only else PARTS
    found = _images_by_place(path, image_size, _test_places if test_only else _places)
    _check_classes(path, found, parts)
    everything = {name: image for images in found.values() for name, image in images.items()}
    _check_sizes(path, everything)
    channels = _most_channels(everything)
    classes = tuple(sorted({category for _, category in found}))
    pixels: dict[str, list[np.ndarray]] = {part: [] for part in parts}
    labels: dict[str, list[int]] = {part: [] for part in parts}
    for (part, category), images in sorted(found.items()):
        for _, image in sorted(images.items()):
            pixels[part].append(image)
            labels[part].append(classes.index(category))
    stacked = {part: _stack(pixels[part], channels) for part in parts}
    return stacked, {part: torch.tensor(labels[part]) for part in parts}, classes


def _images_by_place(path: Path, image_size: int | None, places_of: Callable) -> Found:
    """All images; see :func:`_images`. A place without images is among the places.

    The tree of classes may lie below other folders, whatever they are called: it is the highest that has all parts.
    """
    trees: dict[tuple[str, ...], Found] = {}
    for places, name, image in _images(path, image_size, places_of):
        for above, place in places.items():
            images = trees.setdefault(above, {}).setdefault(place, {})
            if image is not None:
                images[name] = image

    def missing_parts(above: tuple[str, ...]) -> int:
        return -len({part for part, _ in trees[above]})

    return trees[min(trees, key=lambda above: (missing_parts(above), len(above), above))] if trees else {}


def _check_classes(path: Path, found: Found, parts: Sequence[str]) -> None:
    """Check that every part has images of every class."""
    for part in parts:
        if not any(place[0] == part for place in found):
            wanted = "<class>/" if parts == ("test",) else "train/<class>/ and test/<class>/"
            raise InputError(f"{path} holds no {part}/<class>/ folders: images must lie in {wanted}")
    for (part, category), images in sorted(found.items()):
        if not category.isprintable():
            raise InputError(f"{path}: class {category!r} is not printable: rename the folder")
        if not images:
            raise InputError(f"{path}: {part}/{category} holds no image: add images or remove the folder")
    for category in sorted({category for _, category in found}):
        if any((part, category) not in found for part in parts):
            raise InputError(f"{path}: class {category} is in only one of train and test: both need the same classes")


def _most_channels(images: Mapping[str, np.ndarray]) -> int:
    return max(image.shape[0] for image in images.values())


def _stack(images: Sequence[np.ndarray], channels: int) -> Tensor:
    """Images of one size as a batch; grey ones become as many equal channels."""
    return torch.from_numpy(np.stack([np.broadcast_to(image, (channels, *image.shape[1:])) for image in images]))


def _check_sizes(path: Path, images: Mapping[str, np.ndarray]) -> None:
    sizes = {name: image.shape[1:] for name, image in images.items()}
    first_name, first = next(iter(sizes.items()))
    for name, size in sizes.items():
        if size != first:
            raise InputError(
                f"{path}: {name} has {size[0]} x {size[1]} pixels but {first_name} {first[0]} x {first[1]}: "
                "set image_size to scale and crop them all"
            )


Places = dict[tuple[str, ...], tuple[str, str]]  # part and class, by the folders above the tree that they are in


def _test_places(name: str, folder: bool) -> Places:
    """Part and class of an entry ``.../<class>/<image>``, where there are test images alone; nothing for others."""
    steps = PurePosixPath(name).parts
    return {} if folder or len(steps) < 2 else {(): ("test", steps[-2])}


def _places(name: str, folder: bool) -> Places:
    """Part and class of an entry ``.../train/<class>/...``, for every folder that could be the one of a part."""
    steps = PurePosixPath(name).parts
    return {steps[:depth]: (step, steps[depth + 1]) for depth, step in enumerate(steps[:-1]) if step in PARTS}


def _images(path: Path, image_size: int | None, place_of: Callable) -> Iterator[tuple[Any, str, np.ndarray | None]]:
    """Place, name and pixels of every image, and of every folder without pixels, that has a place and is not hidden.

    Files whose names do not end as those of images do are named and skipped.

    Args:
        place_of: name of an entry, and whether it is a folder, to its place, false if it has none.
    """
    decoded, skipped = 0, []
    for name, read in _entries(path):
        hidden = any(step.startswith(".") for step in PurePosixPath(name).parts)
        place = None if hidden else place_of(name, read is None)
        if not place:
            continue
        if read is not None and not is_image(PurePosixPath(name).name):
            skipped.append(name)
            continue
        image = None if read is None else _decode(read(), f"{path}: {printable(name)}", image_size)
        if image is not None:
            decoded += image.nbytes
            check_fits(decoded, path)
        yield place, name, image
    if skipped:
        more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
        names = printable(", ".join(skipped[:3]))
        logger.warning("%s: no images, by their names, and skipped: %s%s", printable(str(path)), names, more)


def _entries(path: Path) -> Iterator[Entry]:
    """All files and folders; a file is read when it is asked for, before the next entry is."""
    if path.is_dir():
        yield from _folder_entries(path)
        return
    kinds = {TAR_SUFFIXES: _tar_entries, (".zip",): _zip_entries}
    entries = next((entries for suffixes, entries in kinds.items() if path.name.endswith(suffixes)), None)
    if entries is None:
        raise InputError(f"{path} is neither a folder nor an archive: it must end in {', '.join(TAR_SUFFIXES)} or .zip")
    with _named_if_broken(path), open_regular(path) as file:
        for name, read in entries(path, file):
            yield name, None if read is None else partial(_read_packed, path, read)


@contextmanager
def _named_if_broken(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # readers of archives have errors of many kinds for what is damaged
        raise InputError(f"{path} is truncated or no archive ({one_line(error)}): replace it") from None


def _read_packed(path: Path, read: Callable[[], bytes]) -> bytes:
    with _named_if_broken(path):
        return read()


def _folder_entries(path: Path) -> Iterator[Entry]:
    """Those of a folder that are not hidden; links are followed, but not to a folder that they lie in."""
    entries = []
    for folder, folders, files in walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        entries += [Path(folder, name) for name in (*folders, *files)]
    for entry in sorted(entries):
        yield entry.relative_to(path).as_posix(), None if entry.is_dir() else partial(_read_file, entry)


def _read_file(path: Path) -> bytes:
    try:
        return read_bounded(path, LARGEST_FILE)
    except FileNotFoundError:
        raise InputError(f"{path} is a link to something that is not there: mend or remove it") from None
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
        return self._stream.read(size)

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

    def _check(self, place: int) -> None:
        if place > self._most:
            raise _unpacks_too_far(self._path)


def _zip_entries(path: Path, file: BinaryIO) -> Iterator[Entry]:
    members = _Members(path)
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
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
        path, steps, name = self._path, PurePosixPath(name), printable(name)
        self._bytes += size
        self._others += -1 if size and is_image(steps.name) else 1
        if steps.is_absolute() or ".." in steps.parts:
            raise InputError(f"{path} holds {name}, a path that leaves the archive: refused")
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


def _decode(content: bytes, name: str, image_size: int | None) -> np.ndarray:
    """Return an image's pixels, ``(1 or 3, height, width)`` uint8."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=_known_formats()) as opened:
                image = _eight_bits(ImageOps.exif_transpose(opened))
                if image_size is not None:
                    image = _scale_and_crop(image, image_size)
                pixels = np.asarray(image)
    except UnidentifiedImageError:
        raise InputError(
            f"{name} is no image that can be read (none of {', '.join(FORMATS)}): replace or remove it"
        ) from None
    except Exception as error:  # each decoder of Pillow has errors of its own
        raise InputError(f"{name} is no image that can be read ({one_line(error)}): replace or remove it") from None
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _known_formats() -> list[str]:
    """Those formats that Pillow knows here: it is built without some of them in places."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _eight_bits(image: Image.Image) -> Image.Image:
    """An image as grey or RGB of 8 bits: 16 bits are scaled, transparency is dropped."""
    if image.mode in DEEP_GREYS:
        values = np.array(image, dtype=np.int32)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"pixels from {values.min()} to {values.max()}, not of 8 or 16 bits")
        values += 128  # to the nearest of the 256 levels, each 257 apart
        values //= 257
        return Image.fromarray(values.astype(np.uint8))
    if image.mode == "F":
        values = np.array(image, dtype=np.float64)
        low, high = values.min(), values.max()
        if not (low >= 0 and high <= 255):
            raise ValueError(f"pixels from {low:g} to {high:g}, not from 0 to 1 or from 0 to 255")
        values *= 255 if high <= 1 else 1
        return Image.fromarray(np.round(values, out=values).astype(np.uint8))
    return image.convert("L" if image.mode in GREYS else "RGB")


def _scale_and_crop(image: Image.Image, size: int) -> Image.Image:
    scale = size / min(image.size)
    scaled = [max(size, round(side * scale)) for side in image.size]
    if scaled[0] * scaled[1] > Image.MAX_IMAGE_PIXELS:
        raise ValueError(f"of {image.width} x {image.height} pixels, which scaled would be {scaled[0]} x {scaled[1]}")
    image = image.resize(scaled, Image.Resampling.BICUBIC)
    left, top = ((side - size) // 2 for side in image.size)
    return image.crop((left, top, left + size, top + size))
