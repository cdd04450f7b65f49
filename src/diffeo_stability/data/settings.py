"""The block ``dataset`` of a configuration."""

import math
from itertools import product
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from ..settings import Block, Finite, Name, NotNegative, Positive, Seed, Text
from .sources import SOURCES

NORMALISED_LIKE = r"^(images|(timm|torchvision):[A-Za-z0-9_.]+)$"
ADDRESS = r"^https?://[^/\s]\S*$"
KNOWN = tuple(name for name, source in SOURCES.items() if not source.own)


class Normalisation(Block):
    """How pixels, scaled to 0..1, are normalised: `(pixel - mean) / std`."""

    mean: Annotated[list[Finite], Field(min_length=1)] = Field(description="one number per channel")
    std: Annotated[list[Positive], Field(min_length=1)] = Field(description="one number per channel")


class TwoPoints(Block):
    """Images with two active pixels, `near` where they are closer than about `xi` to each other and else `far`."""

    size: Annotated[int, Field(ge=4, le=64)] = Field(28, description="pixels along a side")
    xi: Positive = Field(14.0, description="distance of the two pixels, in pixels, that tells the classes apart")
    gap: NotNegative = Field(2.0, description="no pair is closer to `xi` than half of this")
    norm: Literal["L2", "Linf"] = Field("L2", description="by which the distance is taken")
    background_noise: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.0, description="standard deviation of noise in every pixel, in units of an active one"
    )
    train_images: Annotated[int, Field(ge=2, multiple_of=2)] = Field(2048, description="half of each class")
    test_images: Annotated[int, Field(ge=2, multiple_of=2)] = Field(5000, description="half of each class")
    seed: Seed = Field(0, description="of the pairs that are drawn")

    def pairs(self) -> tuple[int, int]:
        """Return how many pairs of pixels are near, and how many far."""
        near = far = 0
        for rows, columns in product(range(self.size), range(1 - self.size, self.size)):
            if (rows, columns) <= (0, 0):
                continue  # the same pair, or a single pixel
            distance = max(rows, abs(columns)) if self.norm == "Linf" else math.hypot(rows, columns)
            count = (self.size - rows) * (self.size - abs(columns))
            near += count * (distance < self.xi - self.gap / 2)
            far += count * (distance >= self.xi + self.gap / 2)
        return near, far

    @model_validator(mode="after")
    def _there_are_enough_pairs(self):
        needed = (self.train_images + self.test_images) // 2
        for name, count in zip(("near", "far"), self.pairs(), strict=True):
            if count < needed:
                raise ValueError(
                    f"{self.train_images} training and {self.test_images} test images need {needed} {name} pairs, of which there "
                    f"are {count}: ask for fewer, or change xi, gap or size"
                )
        return self


class Counts(NamedTuple):
    """How many images and classes there are; no number of classes where it is not known."""

    train_images: int
    test_images: int
    classes: int | None


def _usual_title(block: dict) -> str:
    source = SOURCES.get(block.get("source"))
    return (source and source.title) or block.get("name") or ""


def _known_source(block: dict) -> str | None:
    return block["source"] if block.get("source") in KNOWN else None


class DatasetBlock(Block):
    """The images."""

    source: Literal[tuple(SOURCES)] = Field(description="where the images come from")
    name: Name | None = Field(None, description="folder below `data_dir`; the source's name if not given")
    title: Annotated[Text, Field(max_length=80)] = Field(
        default_factory=_usual_title,
        description="what every figure and the report call the images; the data set's or the folder's name if not given",
    )
    copy_of: Literal[KNOWN] | None = Field(
        default_factory=_known_source,
        description="of `image_folder` and `arrays`: which known data set the images are a copy of, so that what was reported of "
        "it is shown beside; other sources are themselves",
    )
    path: Text | None = Field(
        None,
        description="folder, archive or .npz file, for `image_folder` and `arrays`. Images are read upright, on white where "
        "they are transparent, and of several frames the first; what begins with a dot and folders of systems (`@eaDir`, "
        "`__MACOSX`) are left out",
    )
    image_size: Annotated[int, Field(ge=2)] | None = Field(
        None, description="pixels along a side to which `image_folder` scales and crops; as they are if not given"
    )
    mirror: Annotated[Text, Field(pattern=ADDRESS)] | None = Field(
        None, description="address (`http://` or `https://`) of a folder to download from, instead of the usual one"
    )
    test_only: bool = Field(
        False,
        description="`image_folder` is a tree `<class>/*`, `arrays` has `x_test`, `y_test` alone: for networks with `weights`",
    )
    normalisation: Normalisation | Annotated[str, Field(pattern=NORMALISED_LIKE)] | None = Field(
        None,
        description="the training images' own statistics if not given. Networks with `weights` need one: that of their training, "
        "in numbers, `timm:<name>` or `torchvision:<name>` for that of the library's weights, or `images` for these images' own",
    )
    two_points: TwoPoints | None = Field(None, description="of source `two_points`: which pairs of pixels there are")
    validation_images: Annotated[int, Field(ge=0)] = Field(
        description="training images held out for the validation error in `history.csv`; 0 to train on all"
    )
    split_seed: Seed = Field(0, description="seed of the hold-out and of smaller training sets")

    @property
    def folder(self) -> str:
        return self.name or self.source

    @property
    def known_size(self) -> int | None:
        """Pixels along a side, if they are known before the images are read."""
        if self.two_points is not None:
            return self.two_points.size
        return SOURCES[self.source].image_size or self.image_size

    @property
    def known_counts(self) -> Counts | None:
        """How many images and classes there are, if that is known before they are read."""
        if self.two_points is not None:
            return Counts(self.two_points.train_images, self.two_points.test_images, 2)
        source = SOURCES[self.source]
        if source.train_images is None:
            return None
        return Counts(source.train_images, source.test_images, source.classes)

    @property
    def scale(self) -> tuple[list[float], list[float]] | str | None:
        """Mean and standard deviation per channel, if they are given, or whose they are; else those of the training images."""
        if isinstance(self.normalisation, Normalisation):
            return self.normalisation.mean, self.normalisation.std
        return None if self.normalisation == "images" else self.normalisation

    @model_validator(mode="after")
    def _path_goes_with_source(self):
        own = SOURCES[self.source].own
        if own and self.path is None:
            raise ValueError(f"path is missing: source {self.source} needs the path of the images")
        if own and self.name is None:
            raise ValueError(f"name is missing: source {self.source} needs a name for its folder below data_dir")
        if not own and self.path is not None:
            raise ValueError(f"path is given, but source {self.source} takes none")
        if (self.source == "two_points") != (self.two_points is not None):
            raise ValueError(
                "two_points is missing: source two_points needs its block ({} for all defaults)"
                if self.two_points is None
                else f"two_points is given, but source {self.source} has other images"
            )
        if not own and self.copy_of != self.source:
            raise ValueError(f"copy_of is {self.copy_of}, but source {self.source} is no copy of another: leave it out")
        if self.image_size is not None and self.source != "image_folder":
            raise ValueError(f"image_size is given, but source {self.source} has a size of its own")
        if self.test_only and not own:
            raise ValueError(f"test_only is true, but source {self.source} has training images")
        if self.test_only and self.scale is None:
            raise ValueError("normalisation is missing: without training images it must be given")
        return self
