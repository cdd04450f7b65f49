"""Figure ``stability_vs_displacement``: D, G and R against the displacement, at several cutoffs."""

from typing import Annotated

from pydantic import Field

from ...settings import Cutoff, WithoutRepeats
from ..registry import PAPERS, Figure
from ..settings import FigureSettings, Interpolation, Networks, check_cutoffs


class StabilityVsDisplacement(FigureSettings):
    """Figure `stability_vs_displacement`: D, G and R against the displacement, from T_min / 15 to 2 T_max."""

    networks: Networks = Field(description="keys of `networks`")
    cutoffs: Annotated[list[Cutoff], Field(min_length=1), WithoutRepeats] = Field(
        description="high-frequency cutoffs c, one column each"
    )
    displacements: Annotated[int, Field(ge=3)] = Field(
        7, description="typical displacements delta per cutoff, log-spaced over its range of temperatures"
    )
    interpolation: Interpolation = Field("bilinear", description="of deformed images")

    def check_size(self, image_size: int) -> None:
        check_cutoffs("stability_vs_displacement.cutoffs", self.cutoffs, image_size)


FIGURE = Figure(__name__, StabilityVsDisplacement, PAPERS, 1, on_gpu=True)
