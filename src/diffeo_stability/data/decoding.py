"""Pixels of an image file, of 8 bits, whatever its format."""

import warnings
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..core.errors import InputError, one_line
from .contents import FORMATS
from .files import remedy_for

GREYS = ("1", "L", "LA", "La")
DEEP_GREYS = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # of 16 bits


def decode(content: bytes, name: str, image_size: int | None) -> np.ndarray:
    """Return an image's pixels, ``(1 or 3, height, width)`` uint8.

    Args:
        content: of the image's file.
        name: of the file, for errors.
        image_size: the shorter side is scaled to it and the middle cropped; as it is if not given.

    Raises:
        InputError: it is damaged, of no known format (``FORMATS``), or has more pixels than Pillow takes for no attack.
    """
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
        why, remedy = one_line(error) or type(error).__name__, remedy_for(error, "replace or remove it")
        raise InputError(f"{name} is no image that can be read ({why}): {remedy}") from None
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
        if 0 < values.max() <= 255:
            raise ValueError(f"pixels up to {values.max()} of 65535, which are all black: save them with 8 bits")
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
