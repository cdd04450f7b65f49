"""Of weights that were brought along nothing is known of the training: its init is another one, drawn anew, and that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .claim_measures import Found, Noted
from .words import listed, network

if TYPE_CHECKING:
    import pandas as pd


def in_brackets(table: pd.DataFrame) -> str:
    """Return what stands in brackets behind numbers at init; nothing if all networks of a table were trained by the run."""
    return " (weights drawn anew where a net's own were brought along)" if table.imported.any() else ""


def against_init(found: Found, compared: pd.DataFrame) -> Found:
    """Return what was measured of trained networks against init, and of which of them that is none of theirs.

    Args:
        compared: rows of the table about the networks that were compared.
    """
    imported = [network(net) for net in compared[compared.imported].net.unique()]
    return Noted(found, f"against weights drawn anew in {listed(imported)}") if imported else found
