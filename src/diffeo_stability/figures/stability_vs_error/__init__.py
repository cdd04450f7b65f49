"""Figure ``stability_vs_error``: how test error goes with R, D and G over networks."""

from typing import Literal

from pydantic import Field

from ...settings import Resamples
from ..registry import OCTOBER, Figure
from ..settings import FigureSettings


class StabilityVsError(FigureSettings):
    """Figure `stability_vs_error`: test error against R, D and G."""

    state: Literal["init", "trained"] = Field("trained", description="state whose stability is set against the error")
    resamples: Resamples = Field(1000, description="of the bootstrap over networks")


FIGURE = Figure(
    __name__,
    StabilityVsError,
    OCTOBER,
    3,
    measured="run",
    reads=(),
    tables=("stability",),
    takes=("copy_of",),
    draws=("stability",),
    needs=("stability",),
)
