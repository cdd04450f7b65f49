"""Error rates and their intervals."""

import math

import pytest

from diffeo_stability.networks.evaluation import error_interval


def test_error_interval_is_wilsons():
    """Known values: 0 of 10, 1 of 10 and 50 of 100 wrong."""
    assert error_interval(0.0, 10) == pytest.approx((0, 0.2775), abs=1e-3)
    assert error_interval(0.1, 10) == pytest.approx((0.0179, 0.4042), abs=1e-3)
    for images in range(1, 200):
        assert error_interval(0.0, images)[0] == 0.0 and error_interval(1.0, images)[1] == 1.0
    assert error_interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-3)
    assert error_interval(math.nan, 10) == error_interval(math.nan, 0) == (0, 1)
