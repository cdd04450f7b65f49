"""Figure ``constant_filters``: stability to a shift and to noise against depth, in nets that only pool."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ...settings import Count, NotNegative, Positive, Seed, WithoutRepeats
from ..registry import PAPERS, Figure
from ..settings import FigureSettings
from .fits import FITTED_AT_LEAST, SHORTEST_MAP, fitted_layers

Draws = Annotated[int, Field(ge=2)]
LONGEST_INPUT = 10_000  # pixels; work and time go with its square


class ConstantFilters(FigureSettings):
    """Figure `constant_filters`: one-dimensional nets with constant filters, in theory and measured."""

    filter_size: Literal[3, 5, 7, 9] = Field(3, description="pixels of the filters with stride 1")
    layers: Count = Field(40, description="of the net with stride 1")
    from_layer: Count = Field(8, description="its first layer that exponents are fitted to")
    stride: Literal[2, 3, 4] = Field(2, description="of the other net, whose filters are as large")
    strided_layers: Count = Field(8, description="of that net")
    strided_from_layer: Count = Field(
        3,
        description="its first layer that exponents are fitted to; the last is the last with a map of more than 32 pixels",
    )
    lengths: Annotated[list[Count], Field(min_length=1), WithoutRepeats] = Field(
        [1, 4],
        description="lengths of the inputs, over the source's; the longest ones' exponents are held against the theory",
    )
    draws: Draws = Field(4, description="draws of noise against depth, over which intervals are")
    biases: Annotated[list[NotNegative], Field(min_length=1), WithoutRepeats] = Field(
        description="biases of a net of four layers whose response to noise of different norms is measured"
    )
    smallest_norm: Positive = Field(1e-4, description="smallest norm r of that noise; an input has norm 1")
    largest_norm: Positive = Field(1e4, description="largest norm r")
    norms: Annotated[int, Field(ge=4)] = Field(25, description="how many norms, log-spaced")
    norm_draws: Draws = Field(50, description="draws of the directions of that noise")
    seed: Seed = Field(0, description="of the noise")

    @model_validator(mode="after")
    def _norms_ascend(self):
        if self.largest_norm <= self.smallest_norm:
            raise ValueError(
                f"largest_norm is {self.largest_norm}: it must exceed smallest_norm ({self.smallest_norm})"
            )
        return self

    @model_validator(mode="after")
    def _inputs_are_no_longer_than_can_be_measured(self):
        longest = max(self._longest_input, self._longest_strided_input)
        if longest > LONGEST_INPUT:
            raise ValueError(f"inputs of {longest:,} pixels are too long: at most {LONGEST_INPUT:,} are measured")
        return self

    @model_validator(mode="after")
    def _there_are_layers_to_fit(self):
        strided_maps = [self._longest_strided_input // self.stride**k for k in range(1, self.strided_layers + 1)]
        for key, first, maps in (
            ("from_layer", self.from_layer, [self._longest_input] * self.layers),
            ("strided_from_layer", self.strided_from_layer, strided_maps),
        ):
            if not fitted_layers(first, maps):
                raise ValueError(
                    f"{key}: {first} leaves fewer than {FITTED_AT_LEAST} of {len(maps)} layers with maps of more than "
                    f"{SHORTEST_MAP} pixels: lower it, or give more layers or longer inputs"
                )
        return self

    @property
    def _longest_input(self) -> int:
        """Pixels of the longest inputs of the net with stride 1."""
        return max(self.lengths) * (self.filter_size + (self.filter_size - 1) * self.layers + 1)

    @property
    def _longest_strided_input(self) -> int:
        """Pixels of the longest inputs of the other net."""
        return max(self.lengths) * (self.stride ** (self.strided_layers + 1) + 1)


FIGURE = Figure(__name__, ConstantFilters, PAPERS, 3, measured="run", reads=(), takes=(), makes=("table", "summary"))
