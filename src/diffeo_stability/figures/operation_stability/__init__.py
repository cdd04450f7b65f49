"""Figure ``operation_stability``: D, G and R after every operation inside a network."""

from pydantic import Field

from ..registry import OCTOBER, Figure
from ..settings import FigureSettings, Networks


class OperationStability(FigureSettings):
    """Figure `operation_stability`: D, G and R after every operation, measured as the block `stability` says."""

    networks: Networks = Field(description="keys of `networks`")


FIGURE = Figure(
    __name__,
    OperationStability,
    OCTOBER,
    11,
    takes=("probe", "stability"),
    summarised=True,
    by_kind=True,
    on_gpu=True,
    needs=("stability",),
)
