import math

import numpy as np
import pandas as pd

from ...core import quantiles
from ..claim_measures import Measured, MissingError, Tables, measures, rows_where

FEWEST = 4  # nets, of which a correlation has an interval
CERTAIN = 1 - 1e-12  # a correlation; that of points on a line has no finite angle


def points(tables: Tables) -> pd.DataFrame:
    """One row per net and noise: geometric means over seeds of the error and of D, G and R of images with noise."""
    rows = rows_where(tables["noise_training"], "trained nets", state="trained", images="noisy")
    rows = rows[rows.test_error > 0]
    means = np.log(rows[["test_error", "D", "G", "R"]]).groupby([rows.net, rows.noise], sort=False).mean()
    return np.exp(means).reset_index()


def correlations(tables: Tables, quantity: str) -> dict[float, Measured]:
    """Correlation of log error with the logarithm of a quantity over nets, with Fisher's 95% interval, by noise."""
    found = {}
    for noise, rows in points(tables).groupby("noise"):
        if len(rows) < FEWEST:
            continue
        value = float(np.corrcoef(np.log(rows.test_error), np.log(rows[quantity]))[0, 1].clip(-CERTAIN, CERTAIN))
        angle, half = math.atanh(value), quantiles.NORMAL / math.sqrt(len(rows) - 3)
        found[noise] = Measured(value, math.tanh(angle - half), math.tanh(angle + half))
    if not found:
        raise MissingError(f"the run has no {FEWEST} nets with the same noise")
    return found


@measures("20a")
def error_goes_with_deformation_stability(tables: Tables) -> list[Measured]:
    return list(correlations(tables, "D").values())


@measures("20b")
def error_goes_against_noise_stability(tables: Tables) -> list[Measured]:
    return list(correlations(tables, "G").values())
