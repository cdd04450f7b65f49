"""On a GPU: deforming against bare resampling, measuring against forward passes, and an epoch of each network of cifar10.yaml.

Torch is set up as jobs set it up: float32 without shortcuts, and kernels that repeat.
"""

import statistics
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from bench_stability import forward_passes
from timing import ratio, seconds_in_turn

from diffeo_stability import build_network, deform, relative_stability, stability_by_operation
from diffeo_stability.data.datasets import Dataset, split_dataset
from diffeo_stability.networks.batches import TrainingBatches
from diffeo_stability.networks.training import make_optimizer, prepare_network, steps_per_epoch, train_epoch
from diffeo_stability.pipeline.config import load_config
from diffeo_stability.pipeline.jobs import set_up_torch

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

PAPERS = load_config(Path(__file__).parents[1] / "config" / "cifar10.yaml")
EPOCH = 50_000  # images
STEPS = 40  # that are timed in its place


@pytest.fixture(autouse=True)
def _as_jobs_do():
    set_up_torch("cuda", threads=1)
    yield
    torch.use_deterministic_algorithms(False)


def waited_for(work):
    """Work whose time counts until the GPU is done with it."""

    def wait():
        work()
        torch.cuda.synchronize()

    return wait


@pytest.mark.parametrize(("batch", "channels", "size"), [(500, 3, 32), (32, 3, 224)], ids=str)
def test_deform(benchmark, report, batch, channels, size):
    images = torch.rand(batch, channels, size, size, device="cuda")
    grid = torch.rand(batch, size, size, 2, device="cuda") * 2 - 1
    times = seconds_in_turn(
        41,
        bare=waited_for(lambda: F.grid_sample(images, grid, padding_mode="border", align_corners=True)),
        deform=waited_for(lambda: deform(images)),
    )
    report(
        f"deform {batch} x {channels} x {size} x {size} on a GPU",
        images_per_second=batch / statistics.median(times["deform"]),
        times_bare_grid_sample=ratio(times, "deform", "bare"),
    )
    benchmark(waited_for(lambda: deform(images)))


@pytest.mark.parametrize("name", ["lenet", "vgg11_bn", "resnet18"])
@pytest.mark.parametrize("measure", [relative_stability, stability_by_operation], ids=lambda measure: measure.__name__)
def test_measures(benchmark, report, name, measure):
    network = build_network(name, 3, 32, 10).cuda().eval()
    images = torch.randn(500, 3, 32, 32, device="cuda")
    times = seconds_in_turn(
        5,
        measured=waited_for(lambda: measure(network, images)),
        forward=waited_for(lambda: forward_passes(network, images)),
    )
    report(
        f"{measure.__name__} of {name} on a GPU",
        seconds=statistics.median(times["measured"]),
        times_the_forward_passes=ratio(times, "measured", "forward"),
    )
    benchmark.pedantic(waited_for(lambda: measure(network, images)), rounds=2)


@pytest.mark.parametrize("name", PAPERS.trained)
def test_an_epoch(benchmark, report, name):
    block, recipe = PAPERS.networks[name], PAPERS.recipe(name)
    count = STEPS * recipe.batch_size
    pixels = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8)
    labels = torch.arange(count) % 10
    splits = split_dataset(
        Dataset(pixels, labels, pixels[:10], labels[:10], tuple("0123456789")), validation_images=0, seed=0
    ).to("cuda")
    options = {} if block.filter_size is None else {"filter_size": block.filter_size}
    network = prepare_network(
        lambda: build_network(block.architecture, 3, 32, 10, width=block.width, **options), recipe, 0, "cuda"
    )
    optimizer, images = make_optimizer(network, recipe), TrainingBatches(splits, recipe)
    times = seconds_in_turn(
        3,
        epoch=waited_for(lambda: train_epoch(network, optimizer, images, recipe, seed=0, epoch=1)),
        batches=waited_for(lambda: [images.take(torch.arange(128), torch.Generator()) for _ in range(STEPS)]),
    )
    share = steps_per_epoch(EPOCH, recipe) / STEPS
    report(
        f"an epoch of {name} on a GPU",
        seconds=share * statistics.median(times["epoch"]),
        seconds_of_batches=share * statistics.median(times["batches"]),
        epochs=recipe.epochs,
    )
    benchmark.pedantic(waited_for(lambda: train_epoch(network, optimizer, images, recipe, seed=0, epoch=1)), rounds=1)
