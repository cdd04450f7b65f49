"""Figure ``rotation_coupling``: does the second layer couple first-layer filters that are the same up to a rotation?"""

from typing import Annotated

from pydantic import Field

from ...settings import Resamples
from ..registry import OCTOBER, Figure
from ..settings import FigureSettings, Networks


class RotationCoupling(FigureSettings):
    """Figure `rotation_coupling`: second-layer coupling of first-layer filters that are rotated copies."""

    networks: Networks = Field(
        description="keys of `networks` whose first two layers are convolutions; of smaller filters than 5 pixels nothing is said"
    )
    angle_step: Annotated[float, Field(gt=0, le=90)] = Field(
        15.0, description="degrees between the interpolated rotations"
    )
    permutations: Resamples = Field(1000, description="of the null, in which channels are shuffled")


FIGURE = Figure(
    __name__,
    RotationCoupling,
    OCTOBER,
    12,
    reads=("checkpoints",),
    takes=("resampling",),
    makes=("table", "summary"),
    usable=("convolutional", "convolutional network"),
)
