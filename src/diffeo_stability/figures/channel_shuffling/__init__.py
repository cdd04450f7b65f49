"""Figure ``channel_shuffling``: what of the stability that a network learns survives a shuffle of its channels."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..registry import NOVEMBER, Figure
from ..settings import FigureSettings, Networks


class ChannelShuffling(FigureSettings):
    """Figure `channel_shuffling`: nets with permuted input channels of every convolution, measured as `stability` says."""

    networks: Networks = Field(description="keys of `networks`")
    permutations: Annotated[int, Field(ge=2)] = Field(5, description="how many random permutations of each trained net")
    batch_norm: Literal["re-estimated", "kept"] = Field(
        "re-estimated",
        description="statistics of trained and shuffled nets' batch-norm in the figure; the table has both",
    )

    drawn: ClassVar[frozenset[str]] = frozenset({"batch_norm"})

    def check_run(self, run: Any) -> None:
        for name in self.networks:
            if run.networks[name].init == "none":
                raise ValueError(
                    f"channel_shuffling.networks: {name!r} has no init (init: none) to compare it with; "
                    "have one drawn (init: drawn), or take it out"
                )


FIGURE = Figure(
    __name__,
    ChannelShuffling,
    NOVEMBER,
    1,
    takes=("probe", "stability"),
    makes=("table", "summary"),
    on_gpu=True,
    needs=("stability",),
    usable=("convolutional", "convolutional network"),
)
