"""What a figure file carries: a record of where it comes from, with a hash of the picture itself.

A file that came from anywhere is read in bounded amounts, and its record is one only if it has the form of one.
"""

import hashlib
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..core.errors import InputError, one_line
from ..data.files import read_bounded
from ..settings import Name, Text

LARGEST_FIGURE = 64 * 2**20  # bytes
LONGEST_RECORD = 2**20  # bytes; figures of thousands of trainings have shorter ones
BLANK = "0" * 64  # what stands in a PDF for the hash of its picture while that is computed
PICTURE = re.compile(rb'(?<="picture": ")[0-9a-f]{64}(?=")')
KEYWORDS = b"/Keywords ("
HOW_SHOWN = ("chromaticity", "exif", "gamma", "icc_profile", "srgb")  # what else of a PNG decides how it looks
# Parts of a PNG that decide how it looks as well, which Pillow does not read and figures have not
OTHERWISE_SHOWN = {b"cICP", b"mDCV", b"mDCv", b"cLLI", b"cLLi", b"bKGD"}
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CarriedRecord(BaseModel):
    """What a figure file says of where it comes from.

    Attributes:
        stem, run: of the figure.
        commit, dirty: of the code.
        config: hash of the run's configuration.
        tables: hashes of the files that it was drawn from, by name from the project's folder.
        picture: hash of what it shows; figures of older versions have none.
    """

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    stem: Name
    run: Name
    commit: Annotated[str, Field(pattern=r"^(unknown|[0-9a-f]{40,64})$")]
    dirty: bool
    config: Hash
    tables: Annotated[dict[Annotated[Text, Field(max_length=1000)], Hash], Field(min_length=1)]
    picture: Hash | None = None


@dataclass(frozen=True)
class Carried:
    """A figure file's record, and whether its picture is the one that the record is of; nothing if it does not say."""

    record: CarriedRecord
    intact: bool | None


def embed_record(record: Mapping[str, Any]) -> str:
    """Return the text that a figure carries when it is drawn, with room for the hash of its picture."""
    return json.dumps({**record, "picture": BLANK})


def seal_pdf(path: str | Path) -> None:
    """Put the hash of a PDF, all of it but the hash, into its record."""
    content = Path(path).read_bytes()
    Path(path).write_bytes(_with_picture(content, _hash_of_pdf(content)))


def seal_png(image: Image.Image, texts: Mapping[str, str]) -> PngInfo:
    """Return what a PNG of an image is to carry: texts, of which ``Description`` is the record, with the hash of its pixels."""
    record = {**json.loads(texts["Description"]), "picture": _hash_of_pixels(image)}
    info = PngInfo()
    for key, text in {**texts, "Description": json.dumps(record)}.items():
        info.add_text(key, text)
    return info


def read_carried(path: str | Path) -> Carried | None:
    """Return what a figure file carries; nothing if it is neither a PNG nor a PDF.

    Raises:
        InputError: it carries no record, is damaged, or is no regular file.
    """
    path = Path(path)
    read = {".png": _read_png, ".pdf": _read_pdf}.get(path.suffix)
    if read is None:
        return None
    try:
        text, picture = read(path, read_bounded(path, LARGEST_FIGURE))
        record = CarriedRecord.model_validate_json(text[:LONGEST_RECORD])
    except ValidationError:
        raise InputError(f"{path} carries no record of where it comes from: draw it anew with this version") from None
    return Carried(record, None if record.picture is None else record.picture == picture)


def _read_png(path: Path, content: bytes) -> tuple[str, str]:
    """The text of the record, and the hash of the pixels, bounded as Pillow bounds them; none if they are shown otherwise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=["PNG"]) as image:
                if image.is_animated:
                    raise ValueError("it shows one picture after the other")
                otherwise = OTHERWISE_SHOWN.intersection(_parts_of_png(content))
                return image.text.get("Description", ""), "" if otherwise else _hash_of_pixels(image)
    except UnidentifiedImageError:
        raise InputError(f"{path} is no PNG image") from None
    except Exception as error:  # Pillow's decoder has errors of many kinds
        raise InputError(f"{path} is no PNG image that can be read: {one_line(error)}") from None


def _parts_of_png(content: bytes) -> Iterator[bytes]:
    """Kinds of the parts of a PNG, which each say how long they are."""
    place = 8
    while place < len(content):
        yield content[place + 4 : place + 8]
        place += 12 + int.from_bytes(content[place : place + 4])


def _hash_of_pixels(image: Image.Image) -> str:
    """Hash of what a PNG shows, however it is packed."""
    shown = image.convert("RGBA")
    how = {key: image.info[key] for key in HOW_SHOWN if key in image.info}
    return hashlib.sha256(repr((shown.size, how)).encode() + shown.tobytes()).hexdigest()


def _read_pdf(path: Path, content: bytes) -> tuple[str, str]:
    """The text of the record, and the hash of all else."""
    return _keywords(content), _hash_of_pdf(content)


def _hash_of_pdf(content: bytes) -> str:
    return hashlib.sha256(_with_picture(content, BLANK)).hexdigest()


def _with_picture(content: bytes, picture: str) -> bytes:
    """A PDF with another hash in its record, at the same place, so that nothing in it moves."""
    place = PICTURE.search(content, max(content.rfind(KEYWORDS), 0))
    return content if place is None else content[: place.start()] + picture.encode() + content[place.end() :]


def _keywords(content: bytes) -> str:
    """The keywords of a PDF that matplotlib wrote: a literal string with escaped brackets; as far as a record may go."""
    start = content.rfind(KEYWORDS)
    if start < 0:
        return ""
    text, position, depth = bytearray(), start + len(KEYWORDS), 1
    while position < len(content) and len(text) <= LONGEST_RECORD:
        byte = content[position : position + 1]
        if byte == b"\\":
            position += 1
            byte = content[position : position + 1]
        elif byte == b"(":
            depth += 1
        elif byte == b")":
            depth -= 1
            if depth == 0:
                return text.decode("latin-1")
        text += byte
        position += 1
    return ""
