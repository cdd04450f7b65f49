"""What measuring stability gives: D, G and R, each with its interval, of a whole model or of each of its operations."""

from dataclasses import dataclass
from typing import Any, NamedTuple


class Estimate(NamedTuple):
    """A measured number, its bootstrap interval over images, and the same number from medians over images.

    For D and G the median replaces the mean in the numerator; for R it does so in both D and G.
    """

    value: float
    low: float
    high: float
    median: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


def _show_as_printed(result: object, printer: Any, cycle: bool) -> None:
    """Let a notebook show a result as it is printed, rounded."""
    printer.text(str(result))


@dataclass(frozen=True)
class RelativeStability:
    """What :func:`relative_stability` measured.

    Attributes:
        deformation: D, stability to smooth deformations.
        noise: G, stability to isotropic noise.
        relative: R = D / G, relative stability.
        images: number of images measured.
    """

    deformation: Estimate
    noise: Estimate
    relative: Estimate
    images: int

    _repr_pretty_ = _show_as_printed

    def __str__(self) -> str:
        return f"R = {self.relative}, D = {self.deformation}, G = {self.noise}, on {self.images} images"

    def to_dict(self) -> dict[str, float]:
        """Return all numbers by name: ``D``, ``G`` and ``R``, each with ``_low``, ``_high`` and ``_median``, and ``images``."""
        estimates = {"D": self.deformation, "G": self.noise, "R": self.relative}
        numbers = {symbol: estimate.value for symbol, estimate in estimates.items()}
        for symbol, estimate in estimates.items():
            numbers |= {f"{symbol}_low": estimate.low, f"{symbol}_high": estimate.high}
        numbers |= {f"{symbol}_median": estimate.median for symbol, estimate in estimates.items()}
        return {**numbers, "images": self.images}


class StabilityByOperation(dict[str, RelativeStability]):
    """What :func:`stability_by_operation` measured: one result per named operation, in order of execution.

    Printed, it is a table with a line per operation.
    """

    _repr_pretty_ = _show_as_printed

    def __str__(self) -> str:
        header = ("operation", "R", "D", "G")
        rows = [(name, *map(str, (found.relative, found.deformation, found.noise))) for name, found in self.items()]
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in (header, *rows))

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return all numbers of every operation by name, see :meth:`RelativeStability.to_dict`."""
        return {name: found.to_dict() for name, found in self.items()}
