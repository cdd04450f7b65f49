"""Figure ``noise_training``: nets trained and tested on images with noise, their error against D, G and R."""

from typing import Annotated, Any

from pydantic import Field, field_validator

from ...settings import NotNegative, WithoutRepeats
from ..registry import PAPERS, Figure
from ..settings import FigureSettings, Networks


class NoiseTraining(FigureSettings):
    """Figure `noise_training`: nets trained and tested with noise, measured as the block `stability` says."""

    networks: Networks = Field(description="keys of `networks`")
    noises: Annotated[list[NotNegative], Field(min_length=2), WithoutRepeats] = Field(
        description="root mean square norms of the noise on every normalised image, each in place of the recipe's `noise`"
    )

    choose_trainings = FigureSettings.choose_trainings | {"noises"}

    @field_validator("noises")
    @classmethod
    def _read_apart(cls, noises: list[float]) -> list[float]:
        if len({f"{noise:g}" for noise in noises}) < len(noises):
            raise ValueError("two of them are alike in their first six digits: leave one out")
        return noises

    def training_changes(self) -> list[dict[str, Any]]:
        return [{"noise": noise} for noise in self.noises]


FIGURE = Figure(
    __name__,
    NoiseTraining,
    PAPERS,
    5,
    takes=("probe", "stability"),
    on_gpu=True,
    needs=("stability",),
)
