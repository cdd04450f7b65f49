"""Images and labels of one's own in an .npz file."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.errors import InputError, few, one_line
from .files import check_images_fit, most_unpacked, open_regular, remedy_for
from .requests import Request, fields_of


def read(request: Request) -> dict:
    """Return the fields of a :class:`Dataset` from ``x_train, y_train, x_test, y_test``.

    Raises:
        InputError: an array is missing or not what it has to be, or the file is damaged.
    """
    path = Path(request.path)
    parts = ("test",) if request.test_only else ("train", "test")
    arrays = _read_arrays(path, [f"{letter}_{part}" for part in parts for letter in "xy"])
    images = {part: _images(arrays[f"x_{part}"], f"{path}: x_{part}") for part in parts}
    labels = {part: _labels(arrays[f"y_{part}"], f"{path}: y_{part}", len(images[part])) for part in parts}
    _check_classes(path, labels)
    largest = max((int(part.max()) for part in labels.values() if len(part)), default=-1)
    return fields_of({part: (images[part], labels[part]) for part in parts}, tuple(map(str, range(largest + 1))))


def _read_arrays(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    try:
        with open_regular(path) as file:
            with zipfile.ZipFile(file) as archive:
                size = sum(member.file_size for member in archive.infolist())
            check_images_fit(size, path)
            if size > most_unpacked(path):
                raise InputError(f"{path} unpacks to a hundred times its size and more: refused, images do not")
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in names}
        bare = [name for name, array in found.items() if not isinstance(array, np.ndarray)]
        if bare:
            raise ValueError(f"{bare[0]} is no array in it")
        return found
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"{path} has no array {error.args[0].split()[0]}: it must hold {', '.join(names)}") from None
    except Exception as error:  # numpy, zipfile and zlib each have errors of their own for a damaged file
        raise InputError(
            f"{path} cannot be read as .npz ({one_line(error)}): {remedy_for(error, 'replace it')}"
        ) from None


def _images(array: np.ndarray, name: str) -> Tensor:
    """Images ``(N, C, n, n)``; an error calls the array by its name."""
    if array.dtype != np.uint8:
        raise InputError(f"{name} is {array.dtype}: pixels must be uint8, 0 to 255")
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[2] != array.shape[3] or 0 in array.shape[1:]:
        raise InputError(f"{name} has shape {array.shape}: it must be (N, n, n) or (N, channels, n, n)")
    return torch.from_numpy(array)


def _check_classes(path: Path, labels: dict[str, Tensor]) -> None:
    """Refuse labels that number no classes, and classes that have images in only one of the parts.

    A class for each number up to the largest might not fit into memory. Test images alone need not be of all classes that a
    network tells apart.
    """
    images = sum(map(len, labels.values()))
    largest = max((int(part.max()) for part in labels.values() if len(part)), default=-1)
    if largest >= images:
        raise InputError(
            f"{path} has the label {largest}, but {images} images: labels must number the classes from 0 on, without large gaps"
        )
    absent = {part: sorted(set(range(largest + 1)) - set(found.tolist())) for part, found in labels.items()}
    if len(labels) > 1 and all(map(len, labels.values())) and any(absent.values()):
        lacks = " and ".join(f"y_{part} lacks {few(numbers, 5)}" for part, numbers in absent.items() if numbers)
        raise InputError(f"{path}: {lacks}: both parts need images of every class, numbered from 0 to {largest}")


def _labels(array: np.ndarray, name: str, images: int) -> Tensor:
    """Labels ``(N,)`` of so many images; an error calls the array by its name."""
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"{name} is {array.dtype} {array.shape}: it must hold one whole number per image")
    if len(array) != images:
        raise InputError(f"{name} goes with {images} images but {len(array)} labels: they must match")
    low, high = (int(array.min()), int(array.max())) if len(array) else (0, 0)
    if low < 0 or high > np.iinfo(np.int64).max:
        raise InputError(f"{name} holds labels from {low} to {high}: labels must number the classes from 0 on")
    return torch.from_numpy(array.astype(np.int64))
