"""Quantiles of 95% intervals, without a second of import."""

from scipy.special import ndtri, stdtrit

NORMAL = float(ndtri(0.975))


def student(freedom: int) -> float:
    """Return the 97.5% quantile of Student's t distribution with so many degrees of freedom."""
    return float(stdtrit(freedom, 0.975))
