r"""Figure ``stability_vs_error``: how test error goes with R, D and G over networks.

Pearson correlation of the logarithms, and the fit :math:`\epsilon = a R_f^b`. arXiv:2105.02468, figure 4, reports a
correlation of 0.97 and about :math:`0.2 \sqrt{R_f}`.
"""

import numpy as np
import pandas as pd

from .errors import InputError
from .seeds import derive_seed


def correlate(stability: pd.DataFrame, *, state: str = "trained", resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Correlate log test error with log R, log D and log G, one point a network and seed.

    Args:
        stability: table ``stability``.
        state: ``init`` or ``trained``: whose stability; the error is always that of the trained network.
        resamples: of the bootstrap over networks.

    Returns:
        One row a quantity (``R``, ``D``, ``G``): ``quantity, state, correlation, correlation_low, correlation_high, a,
        a_low, a_high, b, b_low, b_high, networks``, the intervals of 95%.

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
    rows = []
    for quantity in ("R", "D", "G"):
        log_quantity = np.log(points[quantity].to_numpy())
        generator = np.random.default_rng(derive_seed("networks", seed))
        picked = generator.integers(len(points), size=(resamples, len(points)))
        value = _fit(log_quantity[None], log_error[None])[:, 0]
        # A resample that drew one network only has no slope
        low, high = np.nanquantile(_fit(log_quantity[picked], log_error[picked]), (0.025, 0.975), axis=1)
        row = {"quantity": quantity, "state": state}
        for name, *numbers in zip(("correlation", "a", "b"), value, low, high, strict=True):
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), map(float, numbers), strict=True))
        rows.append(row | {"networks": len(points)})
    return pd.DataFrame(rows)


def _fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation of ``x`` with ``y``, and ``a, b`` of ``exp(y) = a exp(x)^b``, for each row: ``(3, rows)``."""
    dx, dy = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    xx, xy, yy = (dx * dx).mean(1), (dx * dy).mean(1), (dy * dy).mean(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = xy / xx
        correlation = np.clip(xy / np.sqrt(xx * yy), -1, 1)
    return np.stack((correlation, np.exp(y.mean(1) - slope * x.mean(1)), slope))
