"""Distances between outputs: the definition, in pieces."""

import pytest
import torch

from diffeo_stability import InputError
from diffeo_stability.core.distances import DistanceAccumulator


@pytest.fixture
def outputs(generator):
    """Outputs for 60 images, as they are and under two perturbations, far from 0."""
    clean = 5 + torch.randn(60, 7, generator=generator, dtype=torch.float64)
    return clean, *(clean + scale * torch.randn(60, 7, generator=generator, dtype=torch.float64) for scale in (0.1, 1))


def accumulate(outputs, batch_size, centre=None):
    accumulator = DistanceAccumulator(outputs[0][:5].mean(0) if centre is None else centre)
    for batch in zip(*(part.split(batch_size) for part in outputs), strict=True):
        accumulator.add(*batch)
    return accumulator.result()


def test_distances_are_those_of_the_definition(outputs):
    clean, *perturbed = outputs
    pairs = (clean[:, None] - clean).square().sum() / (60 * 59)
    expected = torch.stack([(other - clean).square().sum(1).mean() / pairs for other in perturbed])
    torch.testing.assert_close(accumulate(outputs, 60).normalised(), expected, rtol=1e-10, atol=0)
    medians = torch.stack([(other - clean).square().sum(1).quantile(0.5) / pairs for other in perturbed])
    torch.testing.assert_close(accumulate(outputs, 60).medians(), medians, rtol=1e-10, atol=0)


def test_neither_batches_nor_the_centre_change_the_distances(outputs):
    expected = accumulate(outputs, 60).normalised()
    for other in (accumulate(outputs, 7), accumulate(outputs, 60, centre=torch.full((7,), 4.0))):
        torch.testing.assert_close(other.normalised(), expected, rtol=1e-10, atol=0)


def test_outputs_without_a_distance_are_named():
    same = torch.ones(10, 3)
    with pytest.raises(InputError, match="same output for every image"):
        accumulate((same, same), 5).check()
    with pytest.raises(InputError, match="NaN or infinite"):
        accumulate((same * float("nan"), same), 5).check()
