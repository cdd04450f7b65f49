"""Figure ``activation_spectra``: power spectra of the activations after every operation."""

from pydantic import Field

from ..registry import OCTOBER, Figure
from ..settings import FigureSettings, Networks


class ActivationSpectra(FigureSettings):
    """Figure `activation_spectra`: power spectra after every operation."""

    networks: Networks = Field(description="keys of `networks`")


FIGURE = Figure(__name__, ActivationSpectra, OCTOBER, 8, makes=("table", "summary"), on_gpu=True)
