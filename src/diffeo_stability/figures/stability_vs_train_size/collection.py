"""R and test error against the number of training images, as learning curves and their exponents."""

import math

import numpy as np
import pandas as pd

from ...core import quantiles
from ...core.errors import InputError
from ..claim_measures import Measured, mean_over_seeds
from ..registry import Collected

QUANTITIES = ("R", "test_error")
SUMMARY = ("net", "architecture", "quantity", "a", "b", "b_low", "b_high", "sizes", "seeds")


def collect_stability_vs_train_size(stability: pd.DataFrame) -> Collected:
    """Order rows of the table ``stability`` into one learning curve per network, seed and state, and fit their exponents.

    At init a network with batch-norm has a curve per reading of it (``batch_norm``).

    Raises:
        InputError: a network, seed and state without exactly one row for each number of training images.
    """
    curve = ["net", "seed", "state", "batch_norm"]
    sizes = sorted(set(stability.train_size.tolist()))
    for key, rows in stability.groupby(curve):
        measured = sorted(rows.train_size.tolist())
        if measured != sizes:
            raise InputError(
                f"{', '.join(map(str, key[:3]))}: measured at {measured} training images, others at {sizes}"
            )
    curves = stability.sort_values([*curve, "train_size"], kind="stable", ignore_index=True)
    return Collected(curves, fit_exponents(curves))


def fit_exponents(curves: pd.DataFrame) -> pd.DataFrame:
    """Fit ``a P^b`` to R and to the test error of trained networks, P being the number of training images.

    Least squares of the logarithms through their means over seeds. The 95% interval of ``b`` is the wider one of two: what images
    and seeds leave open (see :func:`~diffeo_stability.figures.claim_measures.mean_over_seeds`; intervals at different P count as
    independent), and what the scatter of the means about their lines does, by a t interval that takes this scatter to be the same
    for all networks. Of two numbers of images there is no such scatter, and of one seed none of seeds.

    Args:
        curves: as collected, see :func:`collect_stability_vs_train_size`.

    Returns:
        One row per network and quantity (``R``, ``test_error``): ``net, architecture, quantity, a, b, b_low, b_high`` and of how
        many ``sizes`` and ``seeds``. An error of 0 has no logarithm: it is left out, and so is a network with fewer than two
        numbers of images that are left.
    """
    trained = curves[curves.state == "trained"]
    rows = [row for quantity in QUANTITIES for row in _exponents(trained[trained[quantity] > 0], quantity)]
    return pd.DataFrame(rows, columns=SUMMARY)


def _exponents(curves: pd.DataFrame, quantity: str) -> list[dict]:
    """Rows of the summary of one quantity, whose values are all positive."""
    of_seeds = {key: rows for key, rows in curves.groupby(["net", "seed"], sort=False) if len(rows) > 1}
    if not of_seeds:
        return []
    slopes = [{"net": net, "seed": seed, **_slope_of_seed(rows, quantity)} for (net, seed), rows in of_seeds.items()]
    over_seeds = mean_over_seeds(pd.DataFrame(slopes), "b", ["net"], signed=True)
    nets = list(pd.concat(of_seeds.values()).groupby("net", sort=False))
    scatter = _scatter_about_lines([_line(rows, quantity) for _, rows in nets])
    return [
        {"net": net, "architecture": rows.architecture.iloc[0], "quantity": quantity}
        | _fitted(rows, quantity, measured, scatter)
        | {"sizes": rows.train_size.nunique(), "seeds": rows.seed.nunique()}
        for (net, rows), measured in zip(nets, over_seeds, strict=True)
    ]


def _line(rows: pd.DataFrame, quantity: str) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of P, about their mean, and of a quantity, as means over seeds."""
    logs = np.log(rows[quantity]).groupby(rows.train_size).mean()
    x = np.log(logs.index.to_numpy(float))
    return x - x.mean(), logs.to_numpy()


def _scatter_about_lines(lines: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Half of the 95% t interval of a value that scatters as those of all networks do about their own lines; 0 if none can."""
    freedom = sum(len(x) - 2 for x, _ in lines)
    squares = sum(float(np.square(y - y.mean() - x * (x @ y) / (x @ x)).sum()) for x, y in lines)
    return quantiles.student(freedom) * math.sqrt(squares / freedom) if freedom else 0.0


def _slope_of_seed(rows: pd.DataFrame, quantity: str) -> dict[str, float]:
    """Exponent of one seed, and what the intervals over images leave open of it."""
    x, y = _line(rows, quantity)
    ordered = rows.sort_values("train_size")
    halves = np.log(ordered[f"{quantity}_high"] / ordered[f"{quantity}_low"]).to_numpy() / 2
    slope, half = x @ y / (x @ x), np.linalg.norm(x * halves) / (x @ x)
    return {"b": slope, "b_low": slope - half, "b_high": slope + half}


def _fitted(rows: pd.DataFrame, quantity: str, over_seeds: Measured, scatter: float) -> dict[str, float]:
    """Prefactor and exponent of a network, with the wider one of its intervals."""
    x, y = _line(rows, quantity)
    centre = np.log(np.unique(rows.train_size)).mean()
    half = scatter / math.sqrt(x @ x)
    b = over_seeds.value
    low, high = min(over_seeds.low, b - half), max(over_seeds.high, b + half)
    return {"a": math.exp(y.mean() - b * centre), "b": b, "b_low": low, "b_high": high}
