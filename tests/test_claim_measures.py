"""Intervals that claims are judged by: what they hold, how often, and when there is none."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress, t

from diffeo_stability.figures.claim_measures import (
    MissingError,
    change_over_depth,
    geometric_mean,
    mean_over_seeds,
    means_by_network,
)

OPERATIONS = 24
FACTOR = 3.0  # by which the quantity of a drawn net changes over its depth


def departing(memory, draws=400):
    """Quantities over depth of nets whose departures from a straight line keep a part of the one before."""
    generator = np.random.default_rng(0)
    departures = np.zeros((draws, OPERATIONS + 20))
    for place in range(1, departures.shape[1]):
        departures[:, place] = memory * departures[:, place - 1] + 0.1 * generator.standard_normal(draws)
    line = np.log(FACTOR) * np.linspace(0, 1, OPERATIONS)
    return [pd.Series(np.exp(line + one[20:]), index=range(OPERATIONS)) for one in departures]


@pytest.mark.parametrize(("memory", "least", "most"), [(0.0, 0.92, 0.98), (0.4, 0.84, 0.95), (0.7, 0.74, 0.92)])
def test_the_change_over_depth_holds_the_true_factor(memory, least, most):
    """Mostly: of 24 operations little can be told of their memory. Least squares alone hold it in about 81% and 60% of nets that
    have some."""
    found = [change_over_depth(values) for values in departing(memory)]
    assert least < np.mean([one.low <= FACTOR <= one.high for one in found]) < most


@pytest.mark.parametrize("count", [4, 5, 6, 8, 13, 24])
def test_what_falls_smoothly_falls_though_it_is_no_straight_line(count):
    falling = pd.Series(1 / np.arange(1.0, count + 1))
    assert change_over_depth(falling).high < 1 < change_over_depth(1 / falling).low


@pytest.mark.parametrize("values", [[0.0, 1.1, 1.9, 3.1, 3.9], [0.1, 0.9, 2.1, 2.9, 4.1, 4.9, 6.1, 6.9]])
def test_where_neighbours_do_not_depart_together_the_interval_is_that_of_least_squares(values):
    values = pd.Series(np.exp(values))
    line = linregress(np.linspace(0, 1, len(values)), np.log(values))
    found, half = change_over_depth(values), t.ppf(0.975, len(values) - 2) * line.stderr
    assert np.log(found) == pytest.approx([line.slope, line.slope - half, line.slope + half])


def test_what_is_no_positive_number_has_no_change():
    for wrong in (0.0, np.nan, np.inf):
        with pytest.raises(MissingError, match="no positive number"):
            change_over_depth(pd.Series([1.0, 2.0, wrong, 4.0]))


def test_the_order_in_which_operations_are_given_does_not_matter():
    (values,) = departing(0.6, draws=1)
    assert change_over_depth(values.sample(frac=1, random_state=0)) == pytest.approx(change_over_depth(values))


def test_two_layers_have_a_mean_and_no_interval_to_judge_by():
    with pytest.raises(MissingError, match="no net of 3 layers"):
        geometric_mean(pd.Series([2.0, 8.0]))
    assert geometric_mean(pd.Series([2.0, 8.0]), fewest=2).value == pytest.approx(4.0)
    found = geometric_mean(pd.Series([4.0, 2.0, 8.0]))
    half = t.ppf(0.975, 2) * np.log(2) / np.sqrt(3)
    assert np.log(found) == pytest.approx(np.log(4) + half * np.array([0, -1, 1]))


def test_the_places_at_which_a_training_is_measured_are_no_trainings():
    """Seeds that differ alike at all norms have, at each of them, the interval that they have at one."""
    seeds = pd.DataFrame({"net": "a", "seed": range(3), "R": [0.5, 0.6, 0.9]})
    (alone,) = means_by_network(seeds.assign(R_low=seeds.R, R_high=seeds.R), "R").values()
    norms = pd.concat([seeds.assign(r=r, R_low=seeds.R, R_high=seeds.R) for r in range(10)])
    assert mean_over_seeds(norms, "R", ["r"]) == [pytest.approx(alone)] * 10
    half = t.ppf(0.975, 2) * np.log(seeds.R).std() / np.sqrt(3)
    assert np.log(alone.high / alone.value) == pytest.approx(half)
