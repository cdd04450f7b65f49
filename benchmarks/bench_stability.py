"""``relative_stability`` and ``stability_by_operation`` against the forward passes that they need."""

import pytest
import torch
from conftest import ratio, seconds_in_turn

from diffeo_stability import build_network, relative_stability, stability_by_operation

IMAGES = 500
BATCH = 250


@pytest.mark.parametrize("name", ["vgg11_bn", "resnet18", "lenet"])
def test_relative_stability(benchmark, report, name):
    """The forward passes needed are three an image: of the image, deformed, and with noise."""
    network = build_network(name, 3, 32, 10, width=1.0 if name == "lenet" else 0.25).eval()
    images = torch.randn(IMAGES, 3, 32, 32)

    @torch.no_grad()
    def forward_passes():
        for _ in range(3):
            for batch in images.split(BATCH):
                network(batch)

    times = seconds_in_turn(7, measured=lambda: relative_stability(network, images), forward=forward_passes)
    report(f"relative_stability of {name}", times_the_forward_passes=ratio(times, "measured", "forward"))
    benchmark.pedantic(relative_stability, (network, images), rounds=3)


def test_stability_by_operation(benchmark, report):
    network = build_network("vgg11_bn", 3, 32, 10, width=0.25).eval()
    images = torch.randn(IMAGES, 3, 32, 32)
    times = seconds_in_turn(
        5,
        every_operation=lambda: stability_by_operation(network, images),
        output=lambda: relative_stability(network, images),
    )
    report("stability_by_operation of vgg11_bn", times_relative_stability=ratio(times, "every_operation", "output"))
    benchmark.pedantic(stability_by_operation, (network, images), rounds=3)
