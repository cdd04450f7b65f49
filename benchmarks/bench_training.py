"""Images trained a second, with bfloat16 and channels_last, against plain float32 in the usual layout."""

import statistics

import pytest
import torch
from timing import ratio, seconds_in_turn

from diffeo_stability import build_network
from diffeo_stability.data.datasets import Dataset, split_dataset
from diffeo_stability.networks.settings import Recipe
from diffeo_stability.networks.training import make_optimizer, train_epoch

IMAGES = 512


@pytest.mark.parametrize(("name", "width"), [("vgg11_bn", 1.0), ("vgg11_bn", 0.25), ("resnet18", 0.25)])
def test_training(benchmark, report, name, width):
    pixels = torch.randint(256, (IMAGES + 20, 3, 32, 32), dtype=torch.uint8)
    labels = torch.arange(len(pixels)) % 10
    dataset = Dataset(pixels, labels, pixels[:10], labels[:10], tuple("0123456789"))
    splits = split_dataset(dataset, validation_images=20, seed=0)

    def epoch(precision, channels_last):
        recipe = Recipe(
            epochs=1,
            learning_rate=0.01,
            crop_padding=4,
            horizontal_flip=True,
            precision=precision,
            channels_last=channels_last,
        )
        layout = torch.channels_last if channels_last else torch.contiguous_format
        network = build_network(name, 3, 32, 10, width=width).to(memory_format=layout)
        optimizer = make_optimizer(network, recipe)
        return lambda: train_epoch(network, optimizer, splits, recipe, seed=0, epoch=1)

    fast, plain = epoch("bfloat16", True), epoch("float32", False)
    times = seconds_in_turn(3, fast=fast, plain=plain)
    report(
        f"training {name}, width {width}",
        images_per_second=IMAGES / statistics.median(times["fast"]),
        times_plain_float32=ratio(times, "plain", "fast"),
    )
    benchmark.pedantic(fast, rounds=2)
