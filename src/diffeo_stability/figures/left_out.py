"""Networks of a class that do not count for a claim about it are named, with what they lack."""

from collections.abc import Iterable, Mapping

from .claim_measures import Found, Measured, Noted
from .words import listed, network


def noted_without(found: Mapping[str, Measured], nets: Iterable[str], why: str) -> Found:
    """Return what was measured by network, and which ones it was not measured of.

    Args:
        nets: all networks of the class, as often as one likes.
        why: what the others lack, as in "they have no init".
    """
    others = [network(net) for net in dict.fromkeys(nets) if net not in found]
    return Noted(found, f"not counted, as {why}: {listed(others)}") if others else found
