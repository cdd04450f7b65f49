"""Checks of what callers pass in: numbers in their range, sizes that fit into memory, tensors without NaN."""

import math
from numbers import Integral, Real

import torch
from torch import Tensor

from .errors import InputError
from .memory import memory_of_machine

LARGEST_NUMBER = 1e100  # so that neither its square nor a product of a few of them overflows
LARGEST_IMAGE = 2**20  # pixels along a side


def check_whole(name: str, value: int, smallest: int, largest: int | None = None, *, unit: str = "") -> None:
    """Raise :class:`InputError` unless a value is a whole number within its range."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < smallest:
        raise InputError(f"{name} is {_shown(value)}: it must be a whole number{unit} of at least {smallest}")
    if largest is not None and value > largest:
        raise InputError(f"{name} is {_shown(value)}: it must be at most {largest}")


def check_not_negative(name: str, value: float) -> None:
    """Raise :class:`InputError` unless a value is a number from 0 to the largest that can be reckoned with."""
    if not is_finite(value) or value < 0:
        raise InputError(f"{name} is {_shown(value)}: it must be a finite number of at least 0")
    check_finite(name, value)


def check_finite(name: str, value: float) -> None:
    """Raise :class:`InputError` unless a value is a finite number, of either sign, that can be reckoned with."""
    if not is_finite(value):
        raise InputError(f"{name} is {_shown(value)}: it must be a finite number")
    if abs(value) > LARGEST_NUMBER:
        raise InputError(f"{name} is {_shown(value)}: it must be at most {LARGEST_NUMBER:g}")


def is_finite(value: float) -> bool:
    """Whether a value is a number, and neither NaN nor infinite nor too large for a float."""
    try:
        return isinstance(value, Real) and math.isfinite(value)
    except OverflowError:
        return False


def check_fits(numbers: int, what: str) -> None:
    """Raise :class:`InputError` unless so many numbers of double precision fit into half of this machine's memory."""
    memory = memory_of_machine()
    if 16 * numbers > memory:
        raise InputError(
            f"{what} would take {8 * numbers // 2**30:,} GiB: half of this machine's {memory / 2**30:,.0f} GiB of memory is "
            "the most"
        )


def check_tensor(name: str, value: Tensor) -> None:
    """Raise :class:`InputError` unless a value is a tensor of floating point, of 16 bits at least."""
    if not isinstance(value, Tensor):
        raise InputError(f"{name} is of type {type(value).__name__}: it must be a tensor")
    if not value.is_floating_point() or value.dtype.itemsize < 2:
        raise InputError(f"{name} has the type {value.dtype}: it must be floating point, of 16 bits at least")


def check_generator(generator: torch.Generator | None) -> None:
    """Raise :class:`InputError` unless it is a source of random numbers, or none."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise InputError(
            f"generator is of type {type(generator).__name__}: it must be a torch.Generator, as torch.Generator().manual_seed(0)"
        )


def check_image_size(image_size: int) -> None:
    """Raise :class:`InputError` unless a value is a number of pixels along a side that images can have."""
    check_whole("image_size", image_size, 2, LARGEST_IMAGE, unit=" of pixels")


def check_images(images: Tensor) -> None:
    """Raise :class:`InputError` unless images are a batch ``(B, C, n, n)``, square, not empty and floating point.

    Only shape and dtype are looked at: what is sliced into tensors will do.
    """
    if not hasattr(images, "shape") or not isinstance(images.dtype, torch.dtype):
        raise InputError(
            f"images are of type {type(images).__name__}: they must be a tensor (batch, channels, n, n), which torch.stack makes "
            "of a list of tensors"
        )
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[2] != shape[3]:
        raise InputError(f"images have shape {shape}: it must be (batch, channels, n, n), square{_remedy_for(shape)}")
    if 0 in shape:
        raise InputError(f"images have shape {shape}: the batch is empty")
    check_image_size(shape[-1])
    if isinstance(images, Tensor) and (images.layout is not torch.strided or images.device.type == "meta"):
        raise InputError(
            f"images are on {images.device}, of layout {images.layout}: they must be a dense tensor of numbers"
        )
    if not images.dtype.is_floating_point or images.dtype.itemsize < 2:
        raise InputError(
            f"images are {images.dtype}: they must be floating point, of 16 bits at least, on the scale that the model expects; "
            "of bytes, that is often (images / 255 - mean) / std"
        )


def _remedy_for(shape: tuple[int, ...]) -> str:
    """What makes a batch of images of a tensor that has other axes, as far as its shape tells."""
    match shape:
        case (_, height, width, 1 | 3 | 4) if height == width:
            return ": give images.permute(0, 3, 1, 2)"
        case (1 | 3, height, width) if height == width:
            return ": of one image, give images[None]"
        case (_, height, width) if height == width:
            return ": of images without channels, give images[:, None]"
        case (_, _, _, _):
            return ": crop or resize them"
    return ""


def all_finite(tensor: Tensor) -> bool:
    """Whether a floating-point tensor holds neither NaN nor infinite numbers."""
    # NaN spreads to both ends; a third of isfinite's time
    return tensor.numel() == 0 or bool(torch.stack(torch.aminmax(tensor.detach())).isfinite().all())


def finite(tensor: Tensor, what: str) -> Tensor:
    """Return a tensor as it is.

    Raises:
        InputError: it holds NaN or infinite numbers.
    """
    if not all_finite(tensor):
        raise InputError(
            f"{what} would hold NaN or infinite numbers: what was given holds some, or is too large for {tensor.dtype}"
        )
    return tensor


def _shown(value: object) -> str:
    """A value as an error shows it, in one short line."""
    if isinstance(value, int) and abs(value) >= 10**100:
        return "a number of more than a hundred digits"
    text = " ".join((str(value) if isinstance(value, Real) else repr(value)).split())
    return text if len(text) <= 60 else f"{text[:60]} ..."
