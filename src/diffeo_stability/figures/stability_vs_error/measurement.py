r"""How test error goes with R, D and G over networks.

Pearson correlation of the logarithms, and the fit :math:`\epsilon = a R_f^b`. For CIFAR-10, arXiv:2105.02468, figure 4, reports a
correlation of 0.97 and about :math:`0.2 \sqrt{R_f}`. The papers' networks alone are fitted, each of them one point.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ...core.resampling import bootstrap_interval
from ...networks.classes import of_the_papers
from ..registry import Given, Measured
from ..states import as_shown

QUANTITIES = ("R", "D", "G")
NUMBERS = ("correlation", "a", "b", "lead_of_R")
FEWEST = 3  # networks of a fit
REPORTED_FOR, REPORTED_A, REPORTED_B = "cifar10", 0.2, 0.5


def points_of(stability: pd.DataFrame, state: str) -> pd.DataFrame:
    """Return what is set against each other: one row per network and seed.

    Args:
        stability: table ``stability``, with one reading of batch-norm.
        state: ``init`` or ``trained``: whose stability; the error is always that of the trained network.

    Returns:
        Rows of the table with the errors ``test_error``, ``test_error_low`` and ``test_error_high`` of the trained network, and
        ``of_the_papers``. A training without error, or without one of R, D and G, is left out: it has no logarithm.
    """
    errors = ["test_error", "test_error_low", "test_error_high"]
    trained = stability[stability.state == "trained"].set_index(["net", "seed"])[errors]
    points = stability[stability.state == state].drop(columns=errors).join(trained, on=["net", "seed"])
    points = points[(points[["test_error", *QUANTITIES]] > 0).all(axis=1)]
    known = [of_the_papers(*pair) for pair in zip(points.architecture, points.filter_size, strict=True)]
    return points.assign(of_the_papers=np.array(known, dtype=bool))


def mean_logs(points: pd.DataFrame) -> pd.DataFrame:
    """Return the logarithms of ``test_error, R, D, G`` of each network, as means over seeds; indexed by ``net``."""
    return np.log(points[["test_error", *QUANTITIES]]).groupby(points.net, sort=False).mean()


def correlate_with_error(
    stability: pd.DataFrame, *, state: str = "trained", dataset: str | None = None, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Correlate log test error with log R, log D and log G over the papers' networks, one point per network.

    Args:
        stability: table ``stability``.
        state: ``init`` or ``trained``: whose stability; the error is always that of the trained network.
        dataset: which known data set the images are, if they are one.
        resamples: of the bootstrap over networks.

    Returns:
        One row per quantity (``R``, ``D``, ``G``); at init, where there is batch-norm, for each reading of it (``batch_norm`` is
        ``batch`` or ``estimated``): ``quantity, state, batch_norm, dataset, networks``, and ``correlation``, ``a``, ``b`` and
        ``lead_of_R``, by how much the absolute correlation with R exceeds that with this quantity, each with the ends
        ``<name>_low`` and ``<name>_high`` of its 95% bootstrap interval over networks; and ``reason``, why there are no such
        numbers, where these are blank.
    """
    rows = []
    for reading, table in _readings(stability, state):
        points = points_of(table, state)
        logs = mean_logs(points[points.of_the_papers])
        for quantity, numbers in zip(QUANTITIES, _numbers_of(logs, resamples, seed), strict=True):
            what = {"quantity": quantity, "state": state, "batch_norm": reading, "dataset": dataset}
            rows.append(what | {"networks": len(logs)} | numbers)
    return pd.DataFrame(rows)


def measure_stability_vs_error(given: Given) -> Measured:
    """Correlate test error with R, D and G over the networks of the table ``stability``; see :func:`correlate_with_error`."""
    settings = given.settings
    return Measured(
        correlate_with_error(
            given.tables["stability"], state=settings.state, dataset=given.copy_of, resamples=settings.resamples
        )
    )


def _readings(stability: pd.DataFrame, state: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """The table as figures show it and, at init, with statistics of training images in place of those of each set."""
    yield "running" if state == "trained" else "batch", as_shown(stability)
    if state == "init" and (stability.batch_norm == "estimated").any():
        yield "estimated", stability[stability.batch_norm != "batch"]


def _numbers_of(logs: pd.DataFrame, resamples: int, seed: int) -> list[dict]:
    """Columns of each quantity: the numbers of its fit with their intervals, or the reason why there are none."""
    blank = {f"{name}{end}": np.nan for name in NUMBERS for end in ("", "_low", "_high")}
    if len(logs) < FEWEST:
        reason = f"{len(logs)} of the papers' nets with a test error above 0, where a fit needs {FEWEST}"
        return [blank | {"reason": reason} for _ in QUANTITIES]
    log_error, log_quantities = logs.test_error.to_numpy(), [logs[quantity].to_numpy() for quantity in QUANTITIES]

    def numbers(rows: np.ndarray) -> np.ndarray:
        """Of every quantity and sample of the networks: ``(quantities, 4, samples)``."""
        fits = np.stack([_fit(log_quantity[rows], log_error[rows]) for log_quantity in log_quantities])
        lead_of_r = np.abs(fits[:1, :1]) - np.abs(fits[:, :1])
        return np.concatenate((fits, lead_of_r), axis=1)

    values = numbers(np.arange(len(logs))[None])[..., 0]
    if not np.isfinite(values).all():
        reason = f"{len(logs)} of the papers' nets, but they do not differ in error, R, D or G"
        return [blank | {"reason": reason} for _ in QUANTITIES]
    lows, highs = bootstrap_interval(numbers, (len(logs),), resamples, "networks", seed)
    found = []
    for estimates in zip(values, lows, highs, strict=True):
        row = {}
        for name, value, low, high in zip(NUMBERS, *estimates, strict=True):
            row |= {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
        found.append(row | {"reason": None})
    return found


def _fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation of ``x`` with ``y``, and ``a, b`` of ``exp(y) = a exp(x)^b``, for each row: ``(3, rows)``.

    NaN where all of ``x`` is one number, as in a resample that drew one network only: rounding of its mean is no spread.
    """
    dx, dy = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    xx, xy, yy = (dx * dx).mean(1), (dx * dy).mean(1), (dy * dy).mean(1)
    xx = np.where(np.ptp(x, axis=1) == 0, np.nan, xx)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = xy / xx
        correlation = np.clip(xy / np.sqrt(xx * yy), -1, 1)
    return np.stack((correlation, np.exp(y.mean(1) - slope * x.mean(1)), slope))
