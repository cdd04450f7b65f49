"""Figure ``deformations``: the ensemble over cutoff and temperature, and its displacement against both formulas."""

from typing import Annotated, Any

from pydantic import Field

from ...data.sources import SOURCES
from ...settings import Cutoff, Positive, WithoutRepeats
from ..registry import OCTOBER, Figure
from ..settings import FigureSettings, check_cutoffs


class Deformations(FigureSettings):
    """Figure `deformations`: the ensemble over cutoff and temperature."""

    cutoffs: Annotated[list[Cutoff], Field(min_length=1), WithoutRepeats] = Field(
        description="high-frequency cutoffs c, one column each"
    )
    temperatures: Annotated[list[Positive], Field(min_length=1), WithoutRepeats] = Field(
        description="temperatures T, one row each"
    )
    fields: Annotated[int, Field(ge=2)] = Field(1000, description="fields over which the displacement is measured")
    image: Annotated[int, Field(ge=0)] = Field(0, description="which test image is drawn")

    def check_size(self, image_size: int) -> None:
        check_cutoffs("deformations.cutoffs", self.cutoffs, image_size)

    def check_run(self, run: Any) -> None:
        images = SOURCES[run.dataset.source].test_images
        if images is not None and self.image >= images:
            raise ValueError(
                f"deformations.image: {self.image} is not there: test images are numbered 0 to {images - 1}"
            )


FIGURE = Figure(
    __name__,
    Deformations,
    OCTOBER,
    1,
    measured="run",
    reads=("dataset",),
    takes=("resampling",),
    makes=("table", "pictures"),
)
