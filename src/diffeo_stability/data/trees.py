"""Which images of a folder or archive belong to which part and class, by the folders that they lie in."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

import numpy as np

from ..core.errors import InputError, printable
from .contents import is_image
from .decoding import decode
from .entries import entries_of
from .files import check_images_fit
from .remarks import Remarks, told

PARTS = ("train", "test")
Found = dict[tuple[str, str], dict[str, np.ndarray]]  # pixels by part and class, then by name of the image
Places = dict[tuple[str, ...], tuple[str, str]]  # part and class, by the folders above the tree that they are in


def images_by_class(path: Path, image_size: int | None, *, test_only: bool) -> Found:
    """Return all images; see :func:`diffeo_stability.data.folders.read_image_folder`. A class without images is among them.

    Raises:
        InputError: two trees of classes lie side by side; see :func:`every_image`.
    """
    return _in_one_spelling((_test_images if test_only else _in_highest_tree)(path, image_size))


def _in_highest_tree(path: Path, image_size: int | None) -> Found:
    """All images. A place without images is among the places.

    The tree of classes may lie below other folders, whatever they are called: it is the highest that has all parts.
    """
    trees: dict[tuple[str, ...], Found] = {}
    for places, name, image in every_image(path, image_size, _places):
        for above, place in places.items():
            images = trees.setdefault(above, {}).setdefault(place, {})
            if image is not None:
                images[name] = image
    trees = {above: tree for above, tree in trees.items() if any(tree.values())} or trees
    if not trees:
        return {}
    complete = [above for above, tree in trees.items() if {part for part, _ in tree} == set(PARTS)]
    chosen = min(complete or trees, key=lambda above: (len(above), above))
    _check_tree_is_the_only_one(path, chosen, complete)
    read = {name for images in trees[chosen].values() for name in images}
    found = {name for tree in trees.values() for images in tree.values() for name in images}
    places = " or ".join("/".join((*chosen, part)) for part in PARTS)
    told(f"not in {places}, and skipped", path, sorted(found - read))
    return trees[chosen]


def _check_tree_is_the_only_one(path: Path, chosen: tuple[str, ...], complete: Sequence[tuple[str, ...]]) -> None:
    """Check that no other folder has all parts, but for those in the chosen one."""
    for other in sorted(complete):
        if other[: len(chosen)] != chosen:
            first, second = (printable("/".join(above)) for above in (chosen, other))
            raise InputError(f"{path}: {first} and {second} both hold train and test: leave one of the two out")


def _test_images(path: Path, image_size: int | None) -> Found:
    """All images as test images, each of the class that its folder is named after.

    A folder without images is a class without images, unless it holds other folders or lies in a class that has some.
    """
    folders: dict[tuple[str, ...], dict[str, np.ndarray]] = {}
    for steps, name, image in every_image(path, image_size, _folder_of):
        images = folders.setdefault(steps, {})
        if image is not None:
            images[name] = image
    above = {steps[:depth] for steps in folders for depth in range(len(steps))}
    found: Found = {}
    for steps, images in folders.items():
        if images or not (steps in above or any(folders.get(steps[:depth]) for depth in range(len(steps)))):
            found.setdefault(("test", steps[-1]), {}).update(images)
    return found


def _in_one_spelling(found: Found) -> Found:
    """The same, where names of classes that only differ in how Unicode composes their letters are one name."""
    names: dict[str, str] = {}
    for category in sorted({category for _, category in found}):
        names.setdefault(normalize("NFC", category), category)
    merged: Found = {}
    for (part, category), images in found.items():
        merged.setdefault((part, names[normalize("NFC", category)]), {}).update(images)
    return merged


def _folder_of(name: str, folder: bool) -> tuple[str, ...]:
    """The folder that a file lies in, or the folder itself."""
    steps = PurePosixPath(name).parts
    return steps if folder else steps[:-1]


def _places(name: str, folder: bool) -> Places:
    """Part and class of an entry ``.../train/<class>/...``, for every folder that could be the one of a part."""
    steps = PurePosixPath(name).parts
    folders = steps if folder else steps[:-1]
    return {folders[:depth]: (step, folders[depth + 1]) for depth, step in enumerate(folders[:-1]) if step in PARTS}


def every_image(path: Path, image_size: int | None, place_of: Callable) -> Iterator[tuple[Any, str, np.ndarray | None]]:
    """Yield place, name and pixels of every image, and of all else without pixels, that has a place and is not hidden.

    Files whose names do not end as those of images do are named and skipped, and so are images that have no place.

    Args:
        place_of: name of an entry, and whether it is a folder, to its place, false if it has none.

    Raises:
        InputError: something cannot be read, is damaged, or does not fit into memory.
    """
    remarks, decoded, skipped, outside = Remarks(path), 0, [], []
    for name, read in entries_of(path):
        place, pixels = place_of(name, read is None), None
        if read is not None and is_image(PurePosixPath(name).name):
            if not place:
                outside.append(name)
                continue
            content = read()
            image = decode(content, f"{path}: {printable(name)}", image_size)
            remarks.add(name, image, content)
            pixels = image.pixels
            decoded += pixels.nbytes
            check_images_fit(decoded, path)
        elif read is not None and place:
            skipped.append(name)
        if place:
            yield place, name, pixels
    told("no images, by their names, and skipped", path, skipped)
    told("in no folder of a class, and skipped", path, outside)
    remarks.say()
