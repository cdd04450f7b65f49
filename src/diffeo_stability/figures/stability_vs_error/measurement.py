r"""How test error goes with R, D and G over networks.

Pearson correlation of the logarithms, and the fit :math:`\epsilon = a R_f^b`. arXiv:2105.02468, figure 4, reports a
correlation of 0.97 and about :math:`0.2 \sqrt{R_f}`.
"""

import numpy as np
import pandas as pd

from ...core.errors import InputError
from ...core.resampling import bootstrap_interval
from ..registry import Given, Measured

QUANTITIES = ("R", "D", "G")


def correlate_with_error(
    stability: pd.DataFrame, *, state: str = "trained", resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Correlate log test error with log R, log D and log G, one point per network and seed.

    Args:
        stability: table ``stability``.
        state: ``init`` or ``trained``: whose stability; the error is always that of the trained network.
        resamples: of the bootstrap over networks.

    Returns:
        One row per quantity (``R``, ``D``, ``G``): ``quantity, state, networks``, and ``correlation``, ``a``, ``b`` and
        ``behind_R``, by how much its correlation falls short of that with R, each with the ends ``<name>_low`` and
        ``<name>_high`` of its 95% interval.

    Raises:
        InputError: fewer than three points with an error above 0.
    """
    points = stability[stability.state == state].set_index(["net", "seed"])
    errors = stability[stability.state == "trained"].set_index(["net", "seed"]).test_error
    points = points.assign(trained_error=errors)
    points = points[points.trained_error > 0]
    if len(points) < 3:
        raise InputError(f"{len(points)} networks with a test error above 0: a correlation needs at least 3")
    log_error = np.log(points.trained_error.to_numpy())
    log_quantities = [np.log(points[quantity].to_numpy()) for quantity in QUANTITIES]

    def numbers(rows: np.ndarray) -> np.ndarray:
        """Of every quantity and sample of the networks: ``(quantities, 4, samples)``."""
        fits = np.stack([_fit(log_quantity[rows], log_error[rows]) for log_quantity in log_quantities])
        behind_r = fits[:1, :1] - fits[:, :1]
        return np.concatenate((fits, behind_r), axis=1)

    values = numbers(np.arange(len(points))[None])[..., 0]
    # A resample that drew one network only has no slope
    lows, highs = bootstrap_interval(numbers, (len(points),), resamples, "networks", seed)
    rows = []
    for quantity, *estimates in zip(QUANTITIES, values, lows, highs, strict=True):
        row = {"quantity": quantity, "state": state}
        for name, value, low, high in zip(("correlation", "a", "b", "behind_R"), *estimates, strict=True):
            row |= {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
        rows.append(row | {"networks": len(points)})
    return pd.DataFrame(rows)


def measure_stability_vs_error(given: Given) -> Measured:
    """Correlate test error with R, D and G over the networks of the table ``stability``; see :func:`correlate_with_error`."""
    settings = given.settings
    return Measured(correlate_with_error(given.tables["stability"], state=settings.state, resamples=settings.resamples))


def _fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation of ``x`` with ``y``, and ``a, b`` of ``exp(y) = a exp(x)^b``, for each row: ``(3, rows)``."""
    dx, dy = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    xx, xy, yy = (dx * dx).mean(1), (dx * dy).mean(1), (dy * dy).mean(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = xy / xx
        correlation = np.clip(xy / np.sqrt(xx * yy), -1, 1)
    return np.stack((correlation, np.exp(y.mean(1) - slope * x.mean(1)), slope))
