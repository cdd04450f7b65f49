"""What every reader of a data set is asked for, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from .sources import Source

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Request:
    """A data set that is asked for.

    Attributes:
        name: of the source.
        source: what is known of it.
        folder: where copies put by hand are looked for (in ``download/``).
        path: of the user's own images.
        image_size, mirror, test_only, two_points: as in the block ``dataset`` of a configuration.
    """

    name: str
    source: Source
    folder: Path
    path: str | Path | None = None
    image_size: int | None = None
    mirror: str | None = None
    test_only: bool = False
    two_points: Mapping[str, Any] | None = None


def fields_of(parts: Mapping[str, tuple[Tensor, Tensor]], classes: tuple[str, ...]) -> dict:
    """Return the fields of a :class:`Dataset` from images and labels by part; without ``train``, its training split is empty."""
    images, labels = parts["test"]
    parts = {"train": (images[:0], labels[:0]), **parts}
    tensors = {f"{part}_images": images for part, (images, _) in parts.items()}
    tensors |= {f"{part}_labels": labels for part, (_, labels) in parts.items()}
    return {**tensors, "classes": classes}
