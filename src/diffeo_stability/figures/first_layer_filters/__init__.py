"""Figure ``first_layer_filters``: filters of the first convolution, and how well a Gabor function fits them."""

from typing import Annotated, Any

from pydantic import Field

from ...settings import Count, WithoutRepeats
from ..registry import OCTOBER, Figure
from ..settings import FigureSettings, Networks


class FirstLayerFilters(FigureSettings):
    """Figure `first_layer_filters`: first-layer filters, their spectra and Gabor fits."""

    networks: Networks = Field(description="keys of `networks`, with filters of at least 5 pixels")
    train_sizes: Annotated[list[Count], Field(min_length=1), WithoutRepeats] = Field(
        description="numbers of training images; each is trained for as many steps as the network's own `train_size`"
    )

    def training_changes(self) -> list[dict[str, Any]]:
        return [{"train_size": size} for size in self.train_sizes]


FIGURE = Figure(
    __name__,
    FirstLayerFilters,
    OCTOBER,
    9,
    reads=("checkpoints",),
    takes=(),
    makes=("table", "pictures"),
    summarised=True,
    usable=("convolutional", "convolutional network"),
)
