"""Figure ``field_decomposition``: translation, rotation, compression and pure shear in the ensemble's fields."""

from typing import Annotated

from pydantic import Field

from ...settings import Cutoff, PatchSize, Positive, WithoutRepeats
from ..registry import NOVEMBER, Figure
from ..settings import FigureSettings, check_cutoffs


class FieldDecomposition(FigureSettings):
    """Figure `field_decomposition`: local translation, rotation, compression and pure shear in the ensemble's fields."""

    cutoffs: Annotated[list[Cutoff], Field(min_length=1), WithoutRepeats] = Field(
        description="high-frequency cutoffs c; the first one's field is drawn"
    )
    temperatures: Annotated[list[Positive], Field(min_length=1), WithoutRepeats] = Field(
        description="temperatures T; the first one's field is drawn"
    )
    patch_sizes: Annotated[list[PatchSize], Field(min_length=1), WithoutRepeats] = Field(
        description="odd numbers of pixels along a side of the patches; 1 for the derivative at a pixel"
    )
    fields: Annotated[int, Field(ge=2)] = Field(1000, description="fields over which the parts are measured")

    def check_size(self, image_size: int) -> None:
        for patch_size in self.patch_sizes:
            if patch_size > image_size:
                raise ValueError(
                    f"field_decomposition.patch_sizes: {patch_size} does not fit into images of {image_size} x {image_size} "
                    f"pixels; allowed are odd numbers up to {image_size}"
                )
        check_cutoffs("field_decomposition.cutoffs", self.cutoffs, image_size)


FIGURE = Figure(
    __name__,
    FieldDecomposition,
    NOVEMBER,
    3,
    measured="run",
    reads=("dataset",),
    takes=("resampling",),
    makes=("table", "pictures"),
)
