"""The bootstrap: draws as they are defined, and the standard error that they must show."""

import numpy as np
import pytest
import torch
from scipy import stats

from diffeo_stability.core.bootstrap import bootstrap_means, percentile_interval, resample_counts
from diffeo_stability.core.resampling import bootstrap_interval


def test_every_resample_draws_as_many_as_there_are(generator):
    counts = resample_counts(30, 200, generator)
    assert counts.shape == (200, 30) and (counts.sum(1) == 30).all()
    assert float(counts.var()) == pytest.approx(1 - 1 / 30, rel=0.1)


def test_bootstrap_means_are_means_of_drawn_columns(generator):
    """With as many columns as draws of one, a mean is that of the columns drawn; all rows share the draws."""
    values = torch.randn(3, 50, generator=generator, dtype=torch.float64)
    means = bootstrap_means(values, 230, torch.Generator().manual_seed(4))
    fresh = torch.Generator().manual_seed(4)
    picked = torch.cat([torch.randint(50, (count, 50), generator=fresh) for count in (100, 100, 30)])
    torch.testing.assert_close(means, values[:, picked].mean(-1))


def test_bootstrap_has_the_standard_error_of_the_mean(generator):
    values = torch.randn(1, 400, generator=generator, dtype=torch.float64)
    means = bootstrap_means(values, 4000, generator)
    assert float(means.std()) == pytest.approx(float(values.std()) / 20, rel=0.05)
    low, high = percentile_interval(means)
    assert float(high - low) == pytest.approx(2 * 1.96 * float(values.std()) / 20, rel=0.08)


def test_bootstrap_over_rows_is_scipys_where_scipy_gives_one():
    values = np.random.default_rng(1).lognormal(size=60)
    low, high = bootstrap_interval(lambda rows: values[rows].mean(1), (60,), 4000, "rows")
    reference = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", random_state=2)
    assert (low, high) == pytest.approx(tuple(reference.confidence_interval), abs=0.25 * reference.standard_error)


def test_bootstrap_over_rows_draws_samples_independently_and_keeps_pairs():
    values = np.random.default_rng(1).normal(size=40)
    paired = bootstrap_interval(lambda rows: (values[rows] - values[rows]).mean(1), (40,), 500, "rows")
    apart = bootstrap_interval(
        lambda rows, others: values[rows].mean(1) - values[others].mean(1), (40, 40), 500, "rows"
    )
    assert paired == (0, 0) and apart[0] < 0 < apart[1]


def test_bootstrap_over_rows_leaves_out_resamples_without_a_statistic():
    values = np.array([1.0, 2.0, np.nan])
    numbers = bootstrap_interval(lambda rows: np.stack((values[rows].max(1), rows.max(1))), (3,), 2000, "rows")
    np.testing.assert_array_equal(numbers, [[1, 0], [2, 2]])
    assert bootstrap_interval(lambda rows: values[rows].mean(1), (1,), 10, "rows") == (1, 1)
