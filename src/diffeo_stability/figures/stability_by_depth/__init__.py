"""Figure ``stability_by_depth``: D, G and R over the depth of nets, and what pooling over space and over channels does."""

from pydantic import Field

from ..registry import PAPERS, Figure
from ..settings import FigureSettings, Networks


class StabilityByDepth(FigureSettings):
    """Figure `stability_by_depth`: D, G and R over depth, measured as the block `stability` says."""

    networks: Networks = Field(description="keys of `networks`")


FIGURE = Figure(
    __name__,
    StabilityByDepth,
    PAPERS,
    2,
    takes=("probe", "stability"),
    on_gpu=True,
    needs=("stability",),
    usable=("convolutional", "convolutional network"),
)
