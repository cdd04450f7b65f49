"""Correlation and fit against planted ones."""

import numpy as np
import pandas as pd
import pytest

from diffeo_stability import InputError
from diffeo_stability.figures.stability_vs_error.measurement import correlate_with_error


def table(count=12, noise=0.0, seed=0):
    """Networks with error = 0.2 sqrt(R) and D, G unrelated to it."""
    rng = np.random.default_rng(seed)
    relative = np.geomspace(0.1, 10, count)
    rows = []
    for k, value in enumerate(relative):
        error = 0.2 * value**0.5 * np.exp(noise * rng.normal())
        for state in ("init", "trained"):
            stability = value if state == "trained" else 1.0 + 0.1 * rng.random()
            rows.append(
                {
                    "net": f"net{k}",
                    "seed": 0,
                    "state": state,
                    "R": stability,
                    "D": rng.random() + 0.1,
                    "G": rng.random() + 0.1,
                    "test_error": error if state == "trained" else 0.9,
                }
            )
    return pd.DataFrame(rows)


def test_a_power_law_is_recovered_exactly():
    result = correlate_with_error(table()).set_index("quantity").loc["R"]
    assert result.correlation == pytest.approx(1) and result.a == pytest.approx(0.2) and result.b == pytest.approx(0.5)
    assert result.networks == 12


def test_intervals_hold_the_planted_exponent_and_tell_r_from_d():
    result = correlate_with_error(table(noise=0.2)).set_index("quantity")
    assert result.b_low.R < 0.5 < result.b_high.R and result.a_low.R < 0.2 < result.a_high.R
    assert result.correlation_low.R > 0.8
    assert max(result.correlation_high.D, result.correlation_high.G) < result.correlation_low.R


def test_error_is_the_trained_one_whatever_the_state_of_the_stability():
    result = correlate_with_error(table(), state="init").set_index("quantity").loc["R"]
    assert abs(result.correlation) < 0.9


def test_same_seed_same_intervals():
    pd.testing.assert_frame_equal(correlate_with_error(table(noise=0.2)), correlate_with_error(table(noise=0.2)))


def test_too_few_networks_are_named():
    with pytest.raises(InputError, match="2 networks.*at least 3"):
        correlate_with_error(table(count=2))
    perfect = table(count=4)
    perfect.loc[perfect.net.isin(["net0", "net1"]), "test_error"] = 0.0
    with pytest.raises(InputError, match="2 networks with a test error above 0"):
        correlate_with_error(perfect)
