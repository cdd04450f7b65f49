"""Figure ``laplacian_spectra``: Laplacian components of filters over training time."""

from pydantic import Field

from ..registry import OCTOBER, Figure
from ..settings import FigureSettings, Networks


class LaplacianSpectra(FigureSettings):
    """Figure `laplacian_spectra`: Laplacian components of filters over training time."""

    networks: Networks = Field(description="keys of `networks`")


FIGURE = Figure(
    __name__,
    LaplacianSpectra,
    OCTOBER,
    10,
    reads=("checkpoints",),
    takes=("resampling",),
    usable=("convolutional", "convolutional network"),
)
