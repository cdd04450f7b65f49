from collections.abc import Callable

import pandas as pd

from ...networks.catalogue import kinds_of
from ...networks.classes import state_of_the_art
from ..claim_measures import Found, Measured, Tables, means_by_network, measures, quotients, rows_where
from ..drawn_anew import against_init
from ..left_out import noted_without
from ..states import as_shown


def _nets(tables: Tables, state: str) -> pd.DataFrame:
    return rows_where(as_shown(tables["stability"]), f"nets {state}", state=state)


def _those(rows: pd.DataFrame, belongs: Callable[[str, float], bool], what: str) -> pd.DataFrame:
    """Rows of the nets whose architecture and size of filters belong to a class."""
    pairs = zip(rows.architecture, rows.filter_size, strict=True)
    return rows_where(rows.assign(belongs=[belongs(*pair) for pair in pairs]), what, belongs=True)


def _state_of_the_art(tables: Tables, state: str) -> pd.DataFrame:
    return _those(_nets(tables, state), state_of_the_art, "AlexNet, VGG, ResNet or EfficientNet")


@measures("1")
def initial_stability(tables: Tables) -> dict[str, Measured]:
    """R at init of every net that the run has drawn."""
    return means_by_network(_nets(tables, "init"), "R")


@measures("2a")
def ratio_to_init(tables: Tables) -> Found:
    trained, init = (_state_of_the_art(tables, state) for state in ("trained", "init"))
    ratios = quotients(means_by_network(trained, "R"), means_by_network(init, "R"))
    return against_init(noted_without(ratios, trained.net, "they have no init"), init)


@measures("2b")
def trained_stability(tables: Tables) -> dict[str, Measured]:
    return means_by_network(_state_of_the_art(tables, "trained"), "R")


@measures("2c")
def trained_fully_connected(tables: Tables) -> dict[str, Measured]:
    rows = _nets(tables, "trained")
    return means_by_network(
        _those(rows, lambda architecture, _: "fully_connected" in kinds_of(architecture), "fully connected nets"), "R"
    )
