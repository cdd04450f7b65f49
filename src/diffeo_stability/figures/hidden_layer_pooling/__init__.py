"""Figure ``hidden_layer_pooling``: one hidden layer, trained whole or only its read-out, and how the read-out pools."""

from itertools import product
from typing import Annotated, Any, get_args

from pydantic import Field

from ...networks.settings import TrainedPart
from ...settings import Positive, WithoutRepeats
from ..registry import NOVEMBER, Figure
from ..settings import FigureSettings, Networks


class HiddenLayerPooling(FigureSettings):
    """Figure `hidden_layer_pooling`: networks of one hidden layer, trained whole and by the read-out alone, at every width."""

    networks: Networks = Field(description="keys of `networks`, one_hidden_layer networks")
    widths: Annotated[list[Positive], Field(min_length=1), WithoutRepeats] = Field(
        description="multiply the number of hidden channels, in place of each network's own width"
    )

    def training_changes(self) -> list[dict[str, Any]]:
        return [{"width": width, "trained_part": part} for width, part in product(self.widths, get_args(TrainedPart))]


FIGURE = Figure(
    __name__,
    HiddenLayerPooling,
    NOVEMBER,
    2,
    takes=("probe", "stability"),
    makes=("table", "summary"),
    on_gpu=True,
    needs=("stability",),
    usable=("one_hidden_layer", "network of one hidden layer"),
)
