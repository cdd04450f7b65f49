"""D, G and R of every network, at init and trained."""

from dataclasses import replace

from ..measuring import stability_rows
from ..registry import Given, Measured


def measure_stability(given: Given) -> Measured:
    """Measure a training's network at init and trained: one row each of the table ``stability``.

    Raises:
        InputError: a checkpoint that cannot be read, or a cutoff without a temperature range for these images.
    """
    return Measured(stability_rows(replace(given, stability=given.settings)))
