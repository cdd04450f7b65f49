"""What networks are called and which colours they have, in figures, captions and claims alike.

The configuration may say it (``networks.<name>.label`` and ``color``). Else a network of this package has its own label, and the
colour of its family; one of another kind has its name, and a colour that no other such network has, as far as there are enough.
"""

from collections.abc import Mapping
from itertools import cycle
from typing import Any, NamedTuple

from ..networks.catalogue import family_of, networks

# Told apart from each other and from those of the families, with any of the common kinds of colour vision
OWN_COLORS = ("#1a1a1a", "#ee7700", "#0000ff", "#6622cc", "#cc0000", "#555500", "#8888ff")


class Look(NamedTuple):
    """How a network appears.

    Attributes:
        label: what it is called.
        color: a name of ``catalogue.COLORS`` or ``#rrggbb``.
    """

    label: str
    color: str


def looks_of(blocks: Mapping[str, Mapping[str, Any]]) -> dict[str, Look]:
    """Return how each network of a run appears.

    Args:
        blocks: ``networks`` of the configuration, as plain values; colours are given out in its order.
    """
    own = [name for name, block in blocks.items() if not (block.get("color") or family_of(block["architecture"]))]
    given_out = dict(zip(own, cycle(OWN_COLORS), strict=False))
    return {
        name: Look(
            block.get("label") or _usual_label(name, block["architecture"]),
            block.get("color") or given_out.get(name) or family_of(block["architecture"]).color,
        )
        for name, block in blocks.items()
    }


def labels_of(blocks: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return what each network of a run is called; see :func:`looks_of`."""
    return {name: look.label for name, look in looks_of(blocks).items()}


def _usual_label(name: str, architecture: str) -> str:
    """The label of the package's network of this name, if it is one of that family; else the name."""
    known = networks().get(name)
    return known.label if known and family_of(name) == family_of(architecture) else name
