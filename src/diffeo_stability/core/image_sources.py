"""Images as callers have them: tensors, arrays, and batches that a loader yields."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .checks import check_images
from .errors import InputError
from .images import Images

Batch = Tensor | tuple | list | Mapping
ImageSource = Images | np.ndarray | Iterable[Batch]
PROTOCOL = ("shape", "dtype", "device", "__len__", "__getitem__")


@dataclass(frozen=True)
class MovedImages:
    """Images that go to a device, as a dtype, batch by batch when they are sliced.

    Attributes:
        images: ``(P, C, n, n)``, wherever they are.
        device, dtype: of what is sliced.
    """

    images: Tensor
    device: torch.device
    dtype: torch.dtype

    @property
    def shape(self) -> torch.Size:
        return self.images.shape

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: slice) -> Tensor:
        return self.images[part].to(self.device, self.dtype)


def as_images(source: ImageSource, device: torch.device, dtype: torch.dtype) -> Images:
    """Return images that can be sliced, for a model on a device and of a dtype.

    Args:
        source: a tensor; an array; what is sliced into tensors, which is taken as it is; or an iterable
            of batches, which is read once and held in memory. A batch is a tensor, or a tuple, list or mapping whose first
            tensor is the images.

    Raises:
        InputError: none of these, images that are not floating point, or batches of different shapes.
    """
    if isinstance(source, np.ndarray):
        return MovedImages(_from_array(source), device, dtype)
    if isinstance(source, Tensor):
        check_images(source)
        return source if (source.device, source.dtype) == (device, dtype) else MovedImages(source, device, dtype)
    if all(hasattr(source, name) for name in PROTOCOL):
        return source
    if isinstance(source, str | PathLike):
        raise InputError(f"images is the path {source}: read them with load_images({str(source)!r}, image_size)")
    if not isinstance(source, Iterable) and not hasattr(source, "__getitem__"):
        raise InputError(f"images is {type(source).__name__}: it must be a tensor, an array, or batches of images")
    return MovedImages(_gathered(source), device, dtype)


def _from_array(array: np.ndarray) -> Tensor:
    if np.ma.is_masked(array):
        raise InputError(
            "images are an array of which some numbers are masked: say what they are, e.g. images.filled(0.0)"
        )
    if array.dtype.kind != "f":
        raise InputError(
            f"images are an array of {array.dtype}: they must be floating point; convert with images.astype('float32')"
        )
    # A copy that torch can use: writable, of positive strides and in this machine's order of bytes
    return torch.from_numpy(np.array(array, dtype=np.float64 if array.dtype.itemsize > 4 else np.float32, order="C"))


def _gathered(batches: Iterable[Batch]) -> Tensor:
    """All images of an iterable of batches, ``(P, C, n, n)`` on the CPU."""
    parts = [_images_of(batch).detach().cpu() for batch in batches]
    if not parts:
        raise InputError("images hold no batch: the loader is empty, or was an iterator that is used up")
    shapes = {tuple(part.shape[1:]) for part in parts}
    if len(shapes) > 1:
        raise InputError(f"images differ in shape from batch to batch: {', '.join(map(str, sorted(shapes)))}")
    return torch.cat(parts)


def _images_of(batch: Any) -> Tensor:
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, tuple | list) else [batch]
    images = next((part for part in parts if isinstance(part, Tensor)), None)
    if images is None:
        raise InputError(f"images hold a batch of type {type(batch).__name__} without a tensor")
    if images.ndim != 4:
        raise InputError(
            f"images hold a batch whose first tensor has shape {tuple(images.shape)}: it must be (B, C, n, n); a data set needs "
            "a DataLoader, and of one batch with its labels give the images alone"
        )
    check_images(images)
    return images
