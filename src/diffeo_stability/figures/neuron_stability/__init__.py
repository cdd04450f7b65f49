"""Figure ``neuron_stability``: how much single neurons move under each local transformation."""

from typing import Annotated

from pydantic import Field, model_validator

from ..registry import NOVEMBER, Figure
from ..settings import Neurons


class NeuronStability(Neurons):
    """Figure `neuron_stability`: how much neurons move with transformations of what is in their receptive field."""

    strongest: Annotated[int, Field(ge=2)] = Field(
        10, description="patches of strongest response that are averaged over"
    )

    @model_validator(mode="after")
    def _there_are_as_many_patches(self):
        if self.strongest > self.images:
            raise ValueError(f"strongest is {self.strongest}: there are only {self.images} patches, one per image")
        return self


FIGURE = Figure(
    __name__,
    NeuronStability,
    NOVEMBER,
    4,
    makes=("table", "summary"),
    on_gpu=True,
    usable=("sequence", "plain sequence of convolutions"),
)
