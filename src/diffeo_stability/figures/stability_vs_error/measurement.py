r"""How test error goes with R, D and G over networks.

Pearson correlation of the logarithms, and the fit :math:`\epsilon = a R_f^b`. arXiv:2105.02468, figure 4, reports a
correlation of 0.97 and about :math:`0.2 \sqrt{R_f}`.
"""

import numpy as np
import pandas as pd

from ...core.errors import InputError
from ...core.seeds import derive_seed
from ..registry import Given, Measured


def correlate_with_error(
    stability: pd.DataFrame, *, state: str = "trained", resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Correlate log test error with log R, log D and log G, one point a network and seed.

    Args:
        stability: table ``stability``.
        state: ``init`` or ``trained``: whose stability; the error is always that of the trained network.
        resamples: of the bootstrap over networks.

    Returns:
        One row a quantity (``R``, ``D``, ``G``): ``quantity, state, networks``, and ``correlation``, ``a``, ``b`` and
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
    generator = np.random.default_rng(derive_seed("networks", seed))
    picked = generator.integers(len(points), size=(resamples, len(points)))  # the same networks for every quantity
    fits = {}
    for quantity in ("R", "D", "G"):
        log_quantity = np.log(points[quantity].to_numpy())
        value = _fit(log_quantity[None], log_error[None])
        fits[quantity] = np.concatenate((value, _fit(log_quantity[picked], log_error[picked])), axis=1)
    rows = []
    for quantity, fit in fits.items():
        row = {"quantity": quantity, "state": state}
        numbers = (*fit, fits["R"][0] - fit[0])
        for name, (value, *samples) in zip(("correlation", "a", "b", "behind_R"), numbers, strict=True):
            # A resample that drew one network only has no slope
            low, high = np.nanquantile(samples, (0.025, 0.975))
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
