"""Figure ``noise_bump_images``: what the eye sees where the noise curve has its bump."""

from typing import Annotated, Any

from pydantic import Field

from ...settings import Count, Name, Positive, WithoutRepeats
from ..registry import OCTOBER, Figure
from ..settings import FigureSettings


class NoiseBumpImages(FigureSettings):
    """Figure `noise_bump_images`: images with noise below, at and above the bump of `noise_curves`, and as far towards others."""

    network: Name = Field(description="one of `noise_curves.networks`")
    images: Count = Field(2, description="number of images, two rows of pictures each")
    factors: Annotated[list[Positive], Field(min_length=1), WithoutRepeats] = Field(
        [0.5, 1.0, 2.0, 4.0],
        description="norms, of the noise and of the way to another image, in units of the bump's r*",
    )

    def check_run(self, run: Any) -> None:
        measured = run.noise_curves.networks
        if self.network not in measured:
            raise ValueError(
                f"noise_bump_images.network: {self.network!r} has no noise curve; noise_curves.networks has {', '.join(measured)}"
            )


FIGURE = Figure(
    __name__,
    NoiseBumpImages,
    OCTOBER,
    6,
    measured="run",
    tables=("noise_curves_summary",),
    makes=("table", "pictures"),
    needs=("noise_curves",),
)
