import numpy as np
import pandas as pd

from ..claim_measures import (
    FEWEST,
    Found,
    Measured,
    MissingError,
    Noted,
    Tables,
    mean_gains,
    measures,
    over_depth,
    rows_where,
)
from ..left_out import noted_without
from ..words import listed, network

LEARNT = 0.1  # error at most; guessing errs at every second pair of pixels


def trained(tables: Tables) -> pd.DataFrame:
    """Rows of trained nets, of the largest number of training images."""
    rows = rows_where(tables["scale_detection"], "trained nets", state="trained")
    return rows[rows.train_size == rows.train_size.max()]


def unlearnt(rows: pd.DataFrame) -> list[str]:
    """Nets that have not learnt the task: of some seed, the interval of the test error does not lie below ``LEARNT``."""
    worst = rows.groupby("net", sort=False).test_error_high.max()
    return list(worst[~(worst < LEARNT)].index)


def learnt(tables: Tables) -> pd.DataFrame:
    """Rows of trained nets that have learnt the task.

    Raises:
        MissingError: none has.
    """
    rows = trained(tables)
    rows = rows[~rows.net.isin(unlearnt(rows))]
    if rows.empty:
        raise MissingError("the run has no net that has learnt the task")
    return rows


def _noted(tables: Tables, found: dict[str, Measured]) -> Found:
    return noted_without(found, unlearnt(trained(tables)), "they have not learnt the task")


def gains(tables: Tables, fewest: int = FEWEST) -> dict[str, Measured]:
    """Gain of the constant component over that of the roughest, by net that has learnt the task, mean of so many convolutions."""
    table = tables["scale_detection_summary"]
    rows = table[table.train_size == table.train_size.max()].dropna(subset="ratio")
    if rows.empty:
        raise MissingError("the run has no convolutions")
    rows = rows_where(rows, "convolution of a net that has learnt the task", net=list(learnt(tables).net.unique()))
    return mean_gains(rows, fewest)


@measures("19c")
def smooth_over_rough(tables: Tables) -> Found:
    found = gains(tables)
    few = [network(net) for net in learnt(tables).net.unique() if net not in found]
    noted = _noted(tables, found)
    return Noted(noted, f"fewer than three convolutions, and not counted: {listed(few)}") if few else noted


def errors(tables: Tables) -> dict[str, float]:
    """Test error of every trained net at the largest number of images, mean over seeds."""
    rows = trained(tables).drop_duplicates(["net", "seed"])
    return {net: float(np.mean(of_net.test_error)) for net, of_net in rows.groupby("net", sort=False)}


@measures("19a")
def deformation_stability_falls(tables: Tables) -> Found:
    return _noted(tables, over_depth(learnt(tables), "D"))


@measures("19b")
def noise_stability_rises(tables: Tables) -> Found:
    return _noted(tables, over_depth(learnt(tables), "G"))
