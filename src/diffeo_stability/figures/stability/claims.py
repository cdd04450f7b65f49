import pandas as pd

from ...networks.catalogue import kinds_of
from ...networks.classes import BY_HES_RULE, state_of_the_art
from ..claim_measures import (
    Found,
    Measured,
    Noted,
    Tables,
    means_by_network,
    measures,
    quotients,
    rows_that_belong,
    rows_where,
)
from ..drawn_anew import against_init
from ..left_out import noted_without
from ..states import as_shown
from ..words import listed, network


def _nets(tables: Tables, state: str) -> pd.DataFrame:
    return rows_where(as_shown(tables["stability"]), f"nets {state}", state=state)


def _state_of_the_art(tables: Tables, state: str) -> pd.DataFrame:
    return rows_that_belong(_nets(tables, state), state_of_the_art, "AlexNet, VGG, ResNet or EfficientNet")


def drawn_by_hes_rule(init: pd.DataFrame) -> list[str]:
    """Nets whose init is not the papers': drawn as theirs, they do not learn in few epochs."""
    return list(init[init.architecture.isin(BY_HES_RULE)].net.unique())


def _noted_draws(found: Found, init: pd.DataFrame) -> Found:
    """What was measured, and which inits are not those that the papers have."""
    others = [network(net) for net in drawn_by_hes_rule(init)]
    return Noted(found, f"not the papers' init, but drawn by He's rule: {listed(others)}") if others else found


@measures("1")
def initial_stability(tables: Tables) -> Found:
    """R at init of every net that the run has drawn."""
    init = _nets(tables, "init")
    return _noted_draws(means_by_network(init, "R"), init)


@measures("2a")
def ratio_to_init(tables: Tables) -> Found:
    trained, init = (_state_of_the_art(tables, state) for state in ("trained", "init"))
    ratios = quotients(means_by_network(trained, "R"), means_by_network(init, "R"))
    found = against_init(noted_without(ratios, trained.net, "they have no init"), init)
    return _noted_draws(found, init)


@measures("2b")
def trained_stability(tables: Tables) -> dict[str, Measured]:
    return means_by_network(_state_of_the_art(tables, "trained"), "R")


@measures("2c")
def trained_fully_connected(tables: Tables) -> dict[str, Measured]:
    rows = _nets(tables, "trained")
    return means_by_network(
        rows_that_belong(
            rows, lambda architecture, _: "fully_connected" in kinds_of(architecture), "fully connected nets"
        ),
        "R",
    )
