"""Figure ``noise_curves``: D and G against the norm of the perturbation."""

from pydantic import Field

from ...settings import Cutoff, Positive
from ..registry import OCTOBER, Figure
from ..settings import Interpolation, Norms, check_cutoffs


class NoiseCurves(Norms):
    """Figure `noise_curves`: D and G against the norm r of the perturbation."""

    cutoff: Cutoff = Field(3, description="high-frequency cutoff c of the deformations")
    interpolation: Interpolation = Field("bilinear", description="of deformed images")
    tolerance: Positive = Field(
        0.2,
        description="relative departure of G / r^2 from its level, up or down, that still counts as linear, and prominence that "
        "is no bump yet",
    )

    def check_size(self, image_size: int) -> None:
        check_cutoffs("noise_curves.cutoff", [self.cutoff], image_size)


FIGURE = Figure(__name__, NoiseCurves, OCTOBER, 5, makes=("table", "summary"), on_gpu=True)
