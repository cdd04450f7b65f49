"""The trainer against a bare loop over the same batches; and bfloat16 with channels_last against plain float32."""

import statistics

import pytest
import torch
import torch.nn.functional as F
from timing import ratio, seconds_in_turn

from diffeo_stability import build_network
from diffeo_stability.data.datasets import Dataset, split_dataset
from diffeo_stability.networks.batches import TrainingBatches
from diffeo_stability.networks.settings import Recipe
from diffeo_stability.networks.training import make_optimizer, train_epoch

IMAGES = 512
EPOCH = 4096  # images of an epoch as long as those of small runs: what it costs once is shared by 32 steps


def epochs_of(name, width, precision="bfloat16", channels_last=True, batch_size=128, count=IMAGES):
    """An epoch by the trainer, and one by a bare loop of forward, backward and step on batches that lie ready."""
    pixels = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8)
    labels = torch.arange(count) % 10
    dataset = Dataset(pixels, labels, pixels[:10], labels[:10], tuple("0123456789"))
    recipe = Recipe(
        epochs=1,
        batch_size=batch_size,
        learning_rate=0.01,
        crop_padding=4,
        horizontal_flip=True,
        precision=precision,
        channels_last=channels_last,
    )
    images = TrainingBatches(split_dataset(dataset, validation_images=0, seed=0), recipe)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = build_network(name, 3, 32, 10, width=width).to(memory_format=layout)
    optimizer = make_optimizer(network, recipe)
    generator = torch.Generator().manual_seed(0)
    batches = [images.take(index, generator) for index in torch.arange(count).split(batch_size)]

    def bare():
        network.train()
        for inputs, targets in batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                loss = F.cross_entropy(network(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return lambda: train_epoch(network, optimizer, images, recipe, seed=0, epoch=1), bare


@pytest.mark.parametrize(("name", "width"), [("lenet", 1.0), ("vgg11_bn", 0.5)])
def test_the_trainer_against_a_bare_loop(benchmark, report, name, width):
    trainer, bare = epochs_of(name, width, count=EPOCH)
    times = seconds_in_turn(5, trainer=trainer, bare=bare)
    report(f"trainer {name}, width {width}", times_a_bare_loop=ratio(times, "trainer", "bare"))
    benchmark.pedantic(trainer, rounds=2)


@pytest.mark.parametrize(("name", "width"), [("vgg11_bn", 1.0), ("vgg11_bn", 0.25), ("resnet18", 0.25)])
def test_training(benchmark, report, name, width):
    fast, plain = (epochs_of(name, width, *options)[0] for options in (("bfloat16", True), ("float32", False)))
    times = seconds_in_turn(3, fast=fast, plain=plain)
    report(
        f"training {name}, width {width}",
        images_per_second=IMAGES / statistics.median(times["fast"]),
        times_plain_float32=ratio(times, "plain", "fast"),
    )
    benchmark.pedantic(fast, rounds=2)
