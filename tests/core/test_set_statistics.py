"""Batch-norm by whole sets of images: as in training mode on the whole set, whatever the size of batches."""

import copy

import pytest
import torch
from torch import nn

from diffeo_stability import InputError, build_network, relative_stability, stability_by_operation
from diffeo_stability.core.images import batches_of
from diffeo_stability.core.perturbations import perturbed_batches
from diffeo_stability.core.set_statistics import set_normalised, with_set_statistics

COUNT = 24


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class CallsOneNormTwice(nn.Module):
    """A network whose only batch-norm normalises different things in one pass."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3)
        self.second = nn.Conv2d(4, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.second(self.norm(self.first(x)).relu())).relu().flatten(1)


def keeping_no_statistics():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 10 * 10, 6),
        nn.BatchNorm1d(6, track_running_stats=False, affine=False),
    )


def drawn(build):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build()


def vgg():
    return build_network("vgg11_bn", 1, 12, 10, width=0.125)


@pytest.fixture
def images():
    return torch.rand(COUNT, 1, 12, 12, generator=seeded())


def by_whole_set(network, sets):
    """Outputs of a network in training mode, which normalises each set by itself; moved to double precision, to compare with."""
    network = copy.deepcopy(network).double().train()
    with torch.no_grad():
        return [network(part.double()) for part in sets]


@pytest.mark.parametrize("build", [vgg, CallsOneNormTwice, keeping_no_statistics])
@pytest.mark.parametrize("batch_size", [5, 12, COUNT])
def test_each_set_is_normalised_as_training_mode_does_it_whole(build, batch_size, images):
    network = drawn(build)
    other = images.flip(0) ** 2
    expected = by_whole_set(network, (images, other))

    def sets():
        return ((part, other[place]) for place, part in batches_of(images, batch_size))

    with torch.no_grad(), set_normalised(network.eval(), "batch", sets, COUNT) as forward:
        apart = [
            torch.cat([forward(part, number) for part in whole.split(7)])
            for number, whole in enumerate((images, other))
        ]
        together = forward(torch.cat((images, other)), 0, 1).split(COUNT)
    for outputs in (apart, together):
        for output, right in zip(outputs, expected, strict=True):
            torch.testing.assert_close(output.double(), right, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("build", "batch_norm"), [(vgg, "batch"), (keeping_no_statistics, "running")])
def test_stability_does_not_depend_on_the_size_of_batches(build, batch_norm, images):
    network = drawn(build)
    found = [
        relative_stability(network, images, batch_norm=batch_norm, batch_size=size, resamples=50, generator=seeded())
        for size in (10, 30, 3 * COUNT)
    ]
    for other in found[1:]:
        assert other.relative.value == pytest.approx(found[0].relative.value, rel=1e-4)


def test_clean_deformed_and_noisy_images_each_have_their_own_statistics(images):
    network = drawn(vgg)
    measured = relative_stability(network, images, batch_norm="batch", resamples=50, generator=seeded())
    (batch,) = perturbed_batches(images, batch_size=3 * COUNT, generator=seeded())
    clean, deformed, noisy = (output.flatten(1) for output in by_whole_set(network, batch))
    moved_by_noise = (noisy - clean).square().sum(1).mean()
    ratio = (deformed - clean).square().sum(1).mean() / moved_by_noise
    assert measured.relative.value == pytest.approx(float(ratio), rel=1e-3)


def test_a_network_is_left_as_it_was(images):
    network = drawn(vgg).train()
    before = copy.deepcopy(network.state_dict())
    stability_by_operation(network, images, batch_norm="batch", batch_size=9, resamples=10, generator=seeded())
    assert network.training
    assert not any(module._forward_pre_hooks for module in network.modules())
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    kept_none = drawn(keeping_no_statistics)
    relative_stability(kept_none, images, resamples=10)
    assert kept_none[1].running_mean is None


def test_no_more_passes_are_made_than_it_takes_to_know_the_statistics(images):
    network = drawn(vgg).eval()
    passes = []

    def sets():
        passes.append(1)
        return ((part, part.flip(0)) for _, part in batches_of(images, COUNT))

    with torch.no_grad(), set_normalised(network, "batch", sets, COUNT) as forward:
        whole = forward(images, 0)
        assert len(passes) == 0
        torch.testing.assert_close(forward(images[:5], 0), whole[:5], rtol=1e-3, atol=1e-4)
        forward(images[5:9], 0)
        assert len(passes) == 1


def test_statistics_of_a_set_can_be_kept(images):
    network = drawn(vgg)
    fixed = with_set_statistics(network, images, 10, "batch")
    (expected,) = by_whole_set(network, (images,))
    with torch.no_grad():
        torch.testing.assert_close(fixed.eval()(images[:3]).double(), expected[:3], rtol=1e-3, atol=1e-3)
    assert with_set_statistics(network, images, 10, "running") is network
    with pytest.raises(InputError, match="more than once"):
        with_set_statistics(drawn(CallsOneNormTwice), images, 10, "batch")


def test_a_misspelt_choice_is_named(images):
    with pytest.raises(InputError, match="batch_norm is 'whole': it must be one of running, batch"):
        relative_stability(drawn(vgg), images, batch_norm="whole")
