"""What the blocks of all figures have in common, and the block ``probe``, on whose images they are measured."""

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ..data.settings import DatasetBlock
from ..settings import Block, Count, Name, Positive, Resamples, Seed, WithoutRepeats

Networks = Annotated[list[Name], Field(min_length=1), WithoutRepeats]
Interpolation = Literal["bilinear", "nearest", "gaussian"]


class Probe(Block):
    """The images on which everything is measured, drawn from the test split and the same for every network."""

    images: Annotated[int, Field(ge=2)] = Field(500, description="number of probe images")
    seed: Seed = Field(0, description="of the probe images, their deformations and their noise")
    batch_size: Count = Field(
        500,
        description="images per forward pass; bounds memory only, but batch-norm at init takes a pass for each of its layers "
        "where one batch does not hold all images",
    )
    resamples: Resamples = Field(1000, description="of the bootstrap over images")


class FigureSettings(Block):
    """Base of the block of every figure.

    What a figure's block has to say of a whole run, it says by the methods here; they raise ``ValueError`` with one line.
    """

    choose_trainings: ClassVar[frozenset[str]] = frozenset({"networks", "train_sizes", "widths"})
    drawn: ClassVar[frozenset[str]] = frozenset()  # settings of what is shown alone: tables hold all of it

    def training_changes(self) -> list[dict[str, Any]]:
        """Return in what the trainings of a network that the figure asks for differ from its usual one, one entry each.

        Keys are those of a recipe, ``width``, and ``dataset``, the folder of a data set. Another ``train_size`` takes as many
        steps as the usual one, unless ``epochs`` says how long it takes.
        """
        return [{}]

    def dataset_of(self, run: Any) -> DatasetBlock:
        """Return the data set that the figure is about: its own, if its block has one (``dataset``), else the run's."""
        return getattr(self, "dataset", None) or run.dataset

    def measured_with(self) -> dict[str, Any]:
        """Return the settings that decide the numbers of one training, as plain values."""
        return self.model_dump(exclude=set(self.choose_trainings | self.drawn))

    def drawn_with(self) -> dict[str, Any]:
        """Return the settings that decide what is shown of the numbers, as plain values."""
        return self.model_dump(include=set(self.drawn))

    def check_size(self, image_size: int) -> None:
        """Check that the settings fit images of so many pixels along a side."""

    def check_run(self, run: Any) -> None:
        """Check that the settings fit those of the run's other blocks."""


def check_cutoffs(key: str, cutoffs: list[int], image_size: int) -> None:
    """Raise ``ValueError`` for a cutoff beyond which no field is both visible and a diffeomorphism."""
    largest = 2 * image_size / math.pi
    for cutoff in cutoffs:
        if cutoff > largest:
            raise ValueError(
                f"{key}: {cutoff} leaves an empty temperature range for {image_size} x {image_size} pixels; "
                f"allowed are 2 to {int(largest)}"
            )


class Norms(FigureSettings):
    """Logarithmically spaced norms r of perturbations, in the units of normalised images."""

    networks: Networks = Field(description="keys of `networks`")
    smallest_norm: Positive = Field(description="smallest norm r of a perturbation, of normalised images")
    largest_norm: Positive = Field(description="largest norm r")
    norms: Annotated[int, Field(ge=4)] = Field(description="how many norms, log-spaced")

    @model_validator(mode="after")
    def _norms_ascend(self):
        if self.largest_norm <= self.smallest_norm:
            raise ValueError(
                f"largest_norm is {self.largest_norm}: it must exceed smallest_norm ({self.smallest_norm})"
            )
        return self


class Neurons(FigureSettings):
    """Images whose patches single neurons see, and what is done to them."""

    networks: Networks = Field(description="keys of `networks` that are plain sequences of operations, e.g. VGGs")
    images: Annotated[int, Field(ge=2)] = Field(100, description="test images, one patch of each for every neuron")
    size: Positive = Field(1.0, description="size of the transformations: pixels by which translations move")
    places: Count | None = Field(
        None, description="places in a layer, drawn by seed, whose neurons are measured; all if not given"
    )
    responding: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05,
        description="neurons that respond, or do so otherwise than usual, to a smaller share of patches are left out",
    )
