"""What is given on a GPU is computed there, and nowhere do tensors of two devices meet; no GPU is needed to see that."""

import pytest
import torch
from fake_gpu import GPU, runs_on_a_gpu
from torch import nn

from diffeo_stability import deform, relative_stability, stability_by_operation
from diffeo_stability.core.set_statistics import with_set_statistics
from diffeo_stability.data.datasets import split_dataset
from diffeo_stability.networks.batch_norm import estimate_batch_norm
from diffeo_stability.networks.batches import TrainingBatches
from diffeo_stability.networks.build import build_network
from diffeo_stability.networks.evaluation import error_rate
from diffeo_stability.networks.settings import Recipe
from diffeo_stability.networks.training import mean_loss

pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")  # by torch itself, of copies


def network_on(device, channels=3, size=32):
    """A VGG of a sixteenth of its width, made where it runs."""
    with torch.device(device), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_network("vgg11_bn", channels, size, 10, width=0.0625).eval()


def images_on(device):
    return torch.randn(20, 3, 32, 32, generator=torch.Generator().manual_seed(0)).to(device)


def test_devices_that_meet_are_found():
    with pytest.raises(RuntimeError, match="same device"):
        runs_on_a_gpu(lambda device: torch.zeros(3, device=device) + torch.zeros(3))
    with pytest.raises(AssertionError, match="by a generator elsewhere"):
        runs_on_a_gpu(lambda device: torch.rand(3, generator=torch.Generator(), device=device))


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "gaussian"])
def test_images_are_deformed_where_they_are(interpolation):
    def run(device):
        generator = torch.Generator().manual_seed(0)
        return deform(images_on(device), displacement=1.0, cutoff=3, interpolation=interpolation, generator=generator)

    assert runs_on_a_gpu(run).device == GPU


@pytest.mark.parametrize("batch_norm", ["running", "batch"])
def test_stability_is_measured_where_the_model_is(batch_norm):
    runs_on_a_gpu(
        lambda device: relative_stability(network_on(device), images_on("cpu"), seed=0, batch_norm=batch_norm)
    )
    runs_on_a_gpu(
        lambda device: stability_by_operation(network_on(device), images_on(device), seed=0, batch_norm=batch_norm)
    )


def test_a_network_keeps_its_device_with_the_statistics_of_a_set():
    made = runs_on_a_gpu(lambda device: with_set_statistics(network_on(device), images_on(device), 7, "batch"))
    norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms and all(norm.running_mean.device == GPU for norm in norms)


def test_training_images_are_taken_and_networks_evaluated_where_they_are(mnist5k):
    """All of training but the backward pass, for which torch asks a GPU that is there."""
    recipe = Recipe(epochs=1, batch_size=16, learning_rate=0.1, crop_padding=2, horizontal_flip=True, noise=1.0)
    splits = split_dataset(mnist5k, validation_images=8, seed=0, train_size=32, noise=1.0)

    @torch.no_grad()
    def run(device):
        there, network = splits.to(device), network_on(device, 1, 28)
        estimate_batch_norm(network, there)
        generator = torch.Generator().manual_seed(0)
        images, labels = TrainingBatches(there, recipe).take(torch.arange(5), generator)
        error_rate(network, there, there.validation)
        return images, labels, mean_loss("hinge", network(images), labels)

    assert all(made.device == GPU for made in runs_on_a_gpu(run))
