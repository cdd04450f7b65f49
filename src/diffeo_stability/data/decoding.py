"""Pixels of an image file, of 8 bits, whatever its format."""

import contextlib
import re
import warnings
from collections.abc import Mapping
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..core.errors import InputError, one_line
from .contents import FORMATS
from .files import remedy_for

GREYS = ("1", "L", "LA", "La")
DEEP_GREYS = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # of 16 bits
PALETTES = ("P", "PA")
MOST_SCANS = 100  # of a JPEG, in each of which all of its pixels are gone through; usual ones have ten
SEGMENT = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # begins a part of a JPEG that is not the packed pixels
LARGEST_COUNTED = 4 * 2**20  # bytes of a file whose frames are counted
LEVELS_APART = {"L;2": 85, "L;4": 17}  # greys of 2 and 4 bits in 8, by what Pillow calls what a file holds
PHOTOMETRIC, SAMPLE_FORMAT = 262, 339  # tags of TIFF
WHITE_IS_ZERO, SIGNED = 0, 2  # values of theirs


class Decoded(NamedTuple):
    """An image, and what only all images of a data set together tell the meaning of.

    Attributes:
        pixels: ``(1 or 3, height, width)`` uint8.
        animated: it has more frames, of which this is the first.
        deepest: the largest value of a grey image of 16 bits; nothing of others.
        white: 1 or 255, whichever was taken for white in an image of floating-point numbers; nothing of others and of black ones.
    """

    pixels: np.ndarray
    animated: bool = False
    deepest: int | None = None
    white: int | None = None


def decode(content: bytes, name: str, image_size: int | None) -> Decoded:
    """Return an image of 8 bits: values of 16 bits are scaled, and transparent pixels are shown on white.

    Args:
        content: of the image's file.
        name: of the file, for errors.
        image_size: the shorter side is scaled to it and the middle cropped; as it is if not given.

    Raises:
        InputError: it is damaged, of no known format (``FORMATS``), has more pixels than Pillow takes for no attack, or goes
            through them more often than ``MOST_SCANS``.
    """
    try:
        _check_scans(content)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=_known_formats()) as opened:
                packing = str(opened.tile[0][3]) if opened.tile else ""
                tags = getattr(opened, "tag_v2", {})
                ImageOps.exif_transpose(opened, in_place=True)
                image, read = _eight_bits(opened, packing, tags)
                if image_size is not None:
                    image = _scale_and_crop(image, image_size)
                pixels = np.asarray(image)
                animated = _is_animated(opened)
    except UnidentifiedImageError:
        raise InputError(
            f"{name} is no image that can be read (none of {', '.join(FORMATS)}, or with pixels that Pillow does not know, such "
            "as of 64 bits): save it with 8 bits, replace or remove it"
        ) from None
    except Exception as error:  # each decoder of Pillow has errors of its own
        why, remedy = one_line(error) or type(error).__name__, remedy_for(error, "replace or remove it")
        raise InputError(f"{name} is no image that can be read ({why}): {remedy}") from None
    return Decoded(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1), animated, **read)


def frames_in(content: bytes) -> int | str:
    """Return how many frames an image has; "several" if that takes reading all of a file that is large, or is damaged."""
    if len(content) <= LARGEST_COUNTED:
        with contextlib.suppress(Exception), Image.open(BytesIO(content), formats=_known_formats()) as image:
            return image.n_frames
    return "several"


def _check_scans(content: bytes) -> None:
    """Raise :class:`ValueError` if a JPEG goes through its pixels more often than one that is no attack."""
    scans, place = 0, 2
    while content.startswith(b"\xff\xd8") and (found := SEGMENT.search(content, place)):
        kind, place = content[found.start() + 1], found.end()
        if kind == 0xD9:
            return
        scans += kind == 0xDA
        if scans > MOST_SCANS:
            raise ValueError(f"of more than {MOST_SCANS} scans")
        place += int.from_bytes(content[place : place + 2])  # which counts itself


def _known_formats() -> list[str]:
    """Those formats that Pillow knows here: it is built without some of them in places."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _is_animated(image: Image.Image) -> bool:
    """Whether an image whose pixels were read has more frames; not so of phones' JPEGs, whose others are of the same scene."""
    with contextlib.suppress(Exception):  # of what may be damaged behind the first frame, which is all that is read
        return image.format != "MPO" and getattr(image, "is_animated", False)
    return False


def _eight_bits(image: Image.Image, packing: str, tags: Mapping) -> tuple[Image.Image, dict[str, int]]:
    """An image as grey or RGB of 8 bits, and what was found of its values, as :class:`Decoded` has it.

    Args:
        packing: by Pillow's name, how the file holds its pixels.
        tags: of a TIFF.
    """
    if image.mode == "L" and SIGNED in tags.get(SAMPLE_FORMAT, ()):
        raise ValueError("pixels of 8 bits with a sign, so that it is not clear which are black and white")
    if image.mode in DEEP_GREYS or image.mode == "F":
        values, read = (_from_floats if image.mode == "F" else _from_sixteen_bits)(image)
        # Pillow turns those of 8 bits round
        return Image.fromarray(255 - values if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO else values), read
    return _in_colours_of_a_screen(image, packing), {}


def _in_colours_of_a_screen(image: Image.Image, packing: str) -> Image.Image:
    grey, palette = image.mode in GREYS, image.mode in PALETTES
    if packing in LEVELS_APART and "transparency" in image.info:  # which Pillow leaves as it is in the file
        image.info["transparency"] *= LEVELS_APART[packing]
    if image.has_transparency_data:
        image = _on_white(image.convert("LA" if grey else "RGBA"))
    image = image.convert("L" if grey or "LA;16" in packing else "RGB")  # Pillow has RGBA alone for the latter
    if palette:
        red, green, blue = image.split()
        image = red if red == green == blue else image
    return image


def _on_white(image: Image.Image) -> Image.Image:
    """An image, LA or RGBA, as it is seen on a white page: the colours of what is transparent are no part of the picture."""
    page = Image.new(image.mode[:-1], image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page


def _from_sixteen_bits(image: Image.Image) -> tuple[np.ndarray, dict[str, int]]:
    values = np.array(image, dtype=np.int32)
    transparent = values == image.info.get("transparency", -1)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ValueError(f"pixels from {low} to {high}, not of 8 or 16 bits")
    if 0 < high <= 255:
        raise ValueError(f"pixels up to {high} of 65535, which are all black: save them with 8 bits")
    values += 128  # to the nearest of the 256 levels, each 257 apart
    values //= 257
    values[transparent] = 255
    return values.astype(np.uint8), {"deepest": high}


def _from_floats(image: Image.Image) -> tuple[np.ndarray, dict[str, int]]:
    values = np.array(image, dtype=np.float64)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):
        raise ValueError(f"pixels from {low:g} to {high:g}, not from 0 to 1 or from 0 to 255")
    white = 1 if high <= 1 else 255
    values *= 255 // white
    return np.round(values, out=values).astype(np.uint8), {"white": white} if high > 0 else {}


def _scale_and_crop(image: Image.Image, size: int) -> Image.Image:
    scale = size / min(image.size)
    scaled = [max(size, round(side * scale)) for side in image.size]
    if scaled[0] * scaled[1] > Image.MAX_IMAGE_PIXELS:
        raise ValueError(f"of {image.width} x {image.height} pixels, which scaled would be {scaled[0]} x {scaled[1]}")
    image = image.resize(scaled, Image.Resampling.BICUBIC)
    left, top = ((side - size) // 2 for side in image.size)
    return image.crop((left, top, left + size, top + size))
