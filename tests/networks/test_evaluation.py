"""Error rates and their intervals."""

import math

import pytest
import torch
from torch import nn

from diffeo_stability.data.datasets import Split, Splits
from diffeo_stability.networks.evaluation import error_interval, error_rate


def test_error_interval_is_wilsons():
    """Known values: 0 of 10, 1 of 10 and 50 of 100 wrong."""
    assert error_interval(0.0, 10) == pytest.approx((0, 0.2775), abs=1e-3)
    assert error_interval(0.1, 10) == pytest.approx((0.0179, 0.4042), abs=1e-3)
    for images in range(1, 200):
        assert error_interval(0.0, images)[0] == 0.0 and error_interval(1.0, images)[1] == 1.0
    assert error_interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-3)
    assert error_interval(math.nan, 10) == error_interval(math.nan, 0) == (0, 1)


class Drawing(nn.Linear):
    """Drops half of the inputs in evaluation, too."""

    def forward(self, images):
        return super().forward(nn.functional.dropout(images.flatten(1), 0.5))


def test_a_network_that_draws_random_numbers_has_one_error_rate(generator):
    """Whatever was drawn before, and what is drawn afterwards is what would have been without."""
    images, labels = torch.randn(200, 1, 4, 4, generator=generator), torch.randint(3, (200,), generator=generator)
    part = Split(images, labels)
    network, splits = Drawing(16, 3), Splits(part, part, part, mean=torch.zeros(1), std=torch.ones(1))
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    first = error_rate(network, splits, part)
    assert torch.equal(torch.rand(3), expected)
    assert error_rate(network, splits, part) == first
