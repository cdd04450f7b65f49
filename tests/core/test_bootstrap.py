"""The bootstrap: draws as they are defined, and the standard error that they must show."""

import pytest
import torch

from diffeo_stability.core.bootstrap import bootstrap_means, percentile_interval, resample_counts


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
