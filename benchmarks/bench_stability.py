"""``relative_stability`` and ``stability_by_operation`` against the forward passes that they need."""

import subprocess
import sys

import pytest
import torch
from timing import ratio, seconds_in_turn

from diffeo_stability import build_network, relative_stability, stability_by_operation

IMAGES = 500
BATCH = 250


@torch.no_grad()
def forward_passes(network, images):
    """The passes that are needed: three an image, of the image, deformed, and with noise."""
    for _ in range(3):
        for batch in images.split(BATCH):
            network(batch)


@pytest.mark.parametrize("name", ["vgg11_bn", "resnet18", "lenet"])
def test_relative_stability(benchmark, report, name):
    network = build_network(name, 3, 32, 10, width=1.0 if name == "lenet" else 0.25).eval()
    images = torch.randn(IMAGES, 3, 32, 32)

    times = seconds_in_turn(
        7, measured=lambda: relative_stability(network, images), forward=lambda: forward_passes(network, images)
    )
    report(f"relative_stability of {name}", times_the_forward_passes=ratio(times, "measured", "forward"))
    benchmark.pedantic(relative_stability, (network, images), rounds=3)


@pytest.mark.parametrize(("name", "width"), [("vgg19", 1.0), ("vgg19_bn", 1.0), ("vgg19", 0.25)])
def test_stability_by_operation(benchmark, report, name, width):
    """All operations measured in one pass, against the bare forward passes of images, deformed and noisy."""
    network = build_network(name, 3, 32, 10, width=width).eval()
    images = torch.randn(IMAGES if width < 1 else 166, 3, 32, 32)
    times = seconds_in_turn(
        5,
        every_operation=lambda: stability_by_operation(network, images),
        forward=lambda: forward_passes(network, images),
    )
    report(
        f"stability_by_operation of {name}, width {width}",
        times_the_forward_passes=ratio(times, "every_operation", "forward"),
    )
    benchmark.pedantic(stability_by_operation, (network, images), rounds=1)


MEASURE_AND_TELL_MEMORY = """
import resource, sys
import torch
from diffeo_stability import build_network, stability_by_operation
from diffeo_stability.data.datasets import Dataset
from diffeo_stability.data.probe import probe_images

torch.set_num_threads(2)
count = int(sys.argv[1])
pixels = torch.randint(256, (5000, 3, 32, 32), dtype=torch.uint8)
labels = torch.arange(5000) % 10
dataset = Dataset(pixels[:100], labels[:100], pixels, labels, tuple("0123456789"))
network = build_network("vgg19", 3, 32, 10, width=0.25)
stability_by_operation(network, probe_images(dataset, count, seed=0))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_of_stability_by_operation(benchmark, report):
    """Peak memory of a process that measures all operations of VGG19, at 500 and at 5,000 probe images."""

    def peak(count):
        command = [sys.executable, "-c", MEASURE_AND_TELL_MEMORY, str(count)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    report("peak memory in MiB", images_500=peak(500), images_5000=peak(5000))
    benchmark.pedantic(peak, (500,), rounds=1)
