"""Images in a tree ``train/<class>/*``, ``test/<class>/*``, or ``<class>/*`` alone, in a folder or straight from an archive."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.checks import check_whole
from ..core.errors import InputError, lacks_memory
from .files import is_there
from .requests import Request, fields_of
from .trees import PARTS, Found, every_image, images_by_class


def load_images(
    path: str | Path,
    image_size: int | None = None,
    *,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
) -> Tensor:
    """Read all images of a folder, or of a tar or zip archive, as a batch for a model, in the order of their names.

    They are read as one sees them: upright, as their camera says, and on white where they are transparent. Of animations and of
    files with several pages the first one is read, and a warning of the logger ``diffeo_stability`` says so, as it does of greys
    of fewer than 16 bits in files of 16. Of floating-point numbers 1 is white if none exceeds it, else 255. What is hidden is
    left out: names that begin with a dot, and folders of systems such as ``@eaDir`` or ``__MACOSX``.

    >>> images = load_images("photos", 224, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])  # doctest: +SKIP

    Args:
        path: a folder with images in it or in folders below it; or an archive of one.
        image_size: the shorter side is scaled to it and the middle cropped; as they are if not given.
        mean, std: one number, or one per channel: ``(pixel / 255 - mean) / std`` is what the model gets.

    Returns:
        ``(N, C, n, n)`` float32 on the CPU, of all AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, PPM, TIFF and WebP files. Grey images
        have one channel if all are grey, else three.

    Raises:
        InputError: no images, a damaged image or archive, a folder that may not be read, images of different sizes, that are not
            square or that do not fit into memory, floating-point numbers of which it is not clear which is white, a ``mean`` or
            ``std`` that does not fit the channels.
    """
    if not isinstance(path, str | PathLike):
        raise InputError(f"path is of type {type(path).__name__}: it must name a folder or an archive")
    path = Path(path)
    if not is_there(path):
        raise InputError(f"{path} does not exist")
    if image_size is not None:
        check_whole("image_size", image_size, 1)
    images = {
        name: image
        for _, name, image in every_image(path, image_size, lambda name, folder: not folder)
        if image is not None
    }
    if not images:
        raise InputError(f"{path} holds no image")
    _check_sizes(path, images)
    with _in_memory(path):
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
    with _in_memory(path):
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
        InputError: no such tree, or several, a class without images, a damaged image or archive, a folder that may not be read,
            images of different sizes, classes that differ between the parts, or an archive with links, with paths that leave
            it, or that unpacks to far more than images do.
    """
    parts = ("test",) if test_only else PARTS
    found = images_by_class(path, image_size, test_only=test_only)
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
    with _in_memory(path):
        stacked = {part: _stack(pixels[part], channels) for part in parts}
    return stacked, {part: torch.tensor(labels[part]) for part in parts}, classes


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
            folder = f"{part}/{category}" if len(parts) > 1 else category
            raise InputError(f"{path}: {folder} holds no image: add images or remove the folder")
    for category in sorted({category for _, category in found}):
        if any((part, category) not in found for part in parts):
            raise InputError(f"{path}: class {category} is in only one of train and test: both need the same classes")


def _most_channels(images: Mapping[str, np.ndarray]) -> int:
    return max(image.shape[0] for image in images.values())


@contextmanager
def _in_memory(path: Path) -> Iterator[None]:
    """Say of images that there is no memory for all of them."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise InputError(f"{path}: its images do not fit into memory: free some memory, or set image_size") from None


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
