"""Figure ``stability_vs_train_size``: R and test error against the number of training images."""

from typing import Annotated, Any

from pydantic import Field

from ...settings import Count, WithoutRepeats
from ..registry import OCTOBER, Figure
from ..settings import FigureSettings, Networks


class StabilityVsTrainSize(FigureSettings):
    """Figure `stability_vs_train_size`: R and test error against the number of training images."""

    networks: Networks = Field(description="keys of `networks`")
    train_sizes: Annotated[list[Count], Field(min_length=2), WithoutRepeats] = Field(
        description="numbers of training images; each is trained for about as many steps as the network's own `train_size`"
    )

    def training_changes(self) -> list[dict[str, Any]]:
        return [{"train_size": size} for size in self.train_sizes]


FIGURE = Figure(
    __name__,
    StabilityVsTrainSize,
    OCTOBER,
    4,
    measured=None,
    collects="stability",
    summarised=True,
    needs=("stability",),
)
