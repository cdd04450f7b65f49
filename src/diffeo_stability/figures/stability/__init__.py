"""Figure ``stability``: D, G and R of every network, at init and trained."""

from typing import Literal

from pydantic import Field

from ...settings import Cutoff, Positive
from ..registry import OCTOBER, Figure
from ..settings import FigureSettings, Interpolation, check_cutoffs


class Stability(FigureSettings):
    """Figure `stability`: D, G and R of every network."""

    displacement: Positive = Field(1.0, description="typical displacement delta, pixels")
    cutoff: Cutoff = Field(3, description="high-frequency cutoff c")
    interpolation: Interpolation = Field("bilinear", description="of deformed images")
    noise_norm: Literal["mean", "per_image"] = Field(
        "mean", description="noise of one norm for all images, or of each image's own |tau x - x|"
    )

    def check_size(self, image_size: int) -> None:
        check_cutoffs("stability.cutoff", [self.cutoff], image_size)


FIGURE = Figure(__name__, Stability, OCTOBER, 2, on_gpu=True)
