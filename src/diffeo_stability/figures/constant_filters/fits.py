"""Which layers exponents are fitted to; a run is planned by this, too, so that it imports no torch."""

from collections.abc import Iterable

SHORTEST_MAP = 32  # pixels; in maps that are no longer, ends count as much as depth
FITTED_AT_LEAST = 3  # layers


def fitted_layers(first: int, map_lengths: Iterable[int]) -> list[int]:
    """Return the numbers of the layers from the first one on whose maps are long; none if they are too few for an exponent."""
    layers = [layer for layer, length in enumerate(map_lengths, start=1) if layer >= first and length > SHORTEST_MAP]
    return layers if len(layers) >= FITTED_AT_LEAST else []
