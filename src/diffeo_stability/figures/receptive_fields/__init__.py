"""Figure ``receptive_fields``: receptive fields, theoretical and effective, and rotations about another centre."""

from typing import Annotated

from pydantic import Field

from ...settings import NotNegative, Positive, WithoutRepeats
from ..registry import NOVEMBER, Figure
from ..settings import Neurons


class ReceptiveFields(Neurons):
    """Figure `receptive_fields`: receptive fields, and rotations about a centre away from theirs."""

    size: Positive = Field(
        1.0, description="root-mean-square pixels by which a rotation about the receptive field's own centre moves"
    )
    distances: Annotated[list[NotNegative], Field(min_length=2), WithoutRepeats] = Field(
        description="pixels between a rotation's centre and the receptive field's"
    )


FIGURE = Figure(
    __name__,
    ReceptiveFields,
    NOVEMBER,
    5,
    makes=("table", "summary", "pictures"),
    on_gpu=True,
    usable=("sequence", "plain sequence of convolutions"),
)
