"""How many images of the user's own there are at most, told by names and headers alone, before any image is read."""

import zipfile
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .contents import images_in, is_hidden, is_image
from .files import open_regular
from .settings import Counts, DatasetBlock


def most_images(block: DatasetBlock) -> Counts | None:
    """Return how many images, and in a folder or zip archive how many classes, a data set has at most.

    Args:
        block: of the user's own images, which are there.

    Returns:
        Nothing if that takes reading all of it, as of a tar archive, or if it is damaged, which its reader says.
    """
    path = Path(block.path)
    try:
        if block.source == "arrays":
            with open_regular(path) as file:
                return _in_arrays(file)
        if path.is_dir():
            return _in_tree(images_in(path), test_only=block.test_only)
        if path.name.lower().endswith(".zip"):
            with open_regular(path) as file, zipfile.ZipFile(file) as archive:
                return _in_tree(archive.namelist(), test_only=block.test_only)
    except Exception:  # what is damaged fails in every way that there is, and its reader has the words for it
        return None
    return None


def _in_tree(names: Iterable[str], *, test_only: bool) -> Counts:
    """Counts of a tree ``train/<class>/*``, ``test/<class>/*``, wherever it begins, or ``<class>/*`` of test images alone."""
    paths = [path for path in (PurePosixPath(name).parts for name in names) if path and is_image(path[-1])]
    paths = [path for path in paths if not any(map(is_hidden, path))]
    if test_only:
        places = [path[-2] for path in paths if len(path) > 1]
        return Counts(0, len(places), len(set(places)))
    train, test = ([path for path in paths if part in path[:-2]] for part in ("train", "test"))
    return Counts(len(train), len(test), len({name for path in train for name in _after("train", path)}))


def _after(part: str, path: tuple[str, ...]) -> Iterator[str]:
    """What may be the class: each step that follows one of this name."""
    return (below for above, below in pairwise(path[:-1]) if above == part)


def _in_arrays(file: BinaryIO) -> Counts:
    """Counts of the labels in an .npz file, from their headers."""
    from numpy.lib import format as npy  # tenths of a second to import, and few runs have arrays

    counts = {"y_train": 0, "y_test": 0}
    with zipfile.ZipFile(file) as archive:
        for name in counts.keys() & {member.removesuffix(".npy") for member in archive.namelist()}:
            with archive.open(f"{name}.npy") as member:
                read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(member)]
                shape, *_ = read(member)
                counts[name] = shape[0] if shape else 0
    return Counts(counts["y_train"], counts["y_test"], None)
