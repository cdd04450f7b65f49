import numpy as np
import pandas as pd

from ..claim_measures import (
    Measured,
    MissingError,
    Noted,
    Tables,
    by_network,
    mean_gain,
    measures,
    over_depth,
    rows_where,
)
from ..words import listed, network

GUESSING = 0.5  # error on two classes that are equally frequent


def trained(tables: Tables) -> pd.DataFrame:
    """Rows of trained nets, of the largest number of training images."""
    rows = rows_where(tables["scale_detection"], "trained nets", state="trained")
    return rows[rows.train_size == rows.train_size.max()]


def unlearnt(rows: pd.DataFrame) -> list[str]:
    """Nets that have not learnt the task: of some seed, the interval of the test error is not wholly below that of guessing."""
    worst = rows.groupby("net", sort=False).test_error_high.max()
    return list(worst[~(worst < GUESSING)].index)


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


def _noted(tables: Tables, found: dict[str, Measured]) -> Noted:
    """What was found of nets that have learnt the task; the others are named."""
    others = [network(net) for net in unlearnt(trained(tables))]
    return Noted(found, f"not counted, as they have not learnt the task: {listed(others)}" if others else "")


def gains(tables: Tables) -> dict[str, Measured]:
    """Gain of the constant component over that of the roughest, by net that has learnt the task, mean of convolutions."""
    table = tables["scale_detection_summary"]
    rows = table[table.train_size == table.train_size.max()].dropna(subset="ratio")
    if rows.empty:
        raise MissingError("the run has no convolutions")
    rows = rows_where(rows, "convolution of a net that has learnt the task", net=list(learnt(tables).net.unique()))
    return by_network(rows, mean_gain)


@measures("19c")
def smooth_over_rough(tables: Tables) -> Noted:
    return _noted(tables, gains(tables))


def errors(tables: Tables) -> dict[str, float]:
    """Test error of every trained net at the largest number of images, mean over seeds."""
    rows = trained(tables).drop_duplicates(["net", "seed"])
    return {net: float(np.mean(of_net.test_error)) for net, of_net in rows.groupby("net", sort=False)}


@measures("19a")
def deformation_stability_falls(tables: Tables) -> Noted:
    return _noted(tables, over_depth(learnt(tables), "D"))


@measures("19b")
def noise_stability_rises(tables: Tables) -> Noted:
    return _noted(tables, over_depth(learnt(tables), "G"))
