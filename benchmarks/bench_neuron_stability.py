"""Neurons fed their receptive field alone, against one pass of the whole image for every image, neuron and transformation."""

import subprocess
import sys

import pytest
import torch
from timing import ratio, seconds_in_turn
from torch import nn

from diffeo_stability import build_network, remap
from diffeo_stability.core.cropping import views_of
from diffeo_stability.core.neurons import linear_norms, measure_responses, unit_transformations

IMAGES = 10
LAYER = "relu4"  # 256 x 8 x 8 neurons


@pytest.fixture
def vgg11():
    torch.manual_seed(0)
    return build_network("vgg11", 3, 32, 10).eval()


@torch.no_grad()
def naive(network, view, place, channels, images, transformations):
    """Squared distances of some neurons of one place, ``(T, P, channels)``, each from passes of its own."""
    upto = network[: list(dict(network.named_children())).index(LAYER) + 1]
    pixel = torch.arange(images.shape[-1], dtype=torch.float64)
    centre = view.columns.centre(place.column), view.rows.centre(place.row)
    offsets = torch.stack(torch.meshgrid(pixel - centre[0], pixel - centre[1], indexing="xy"))
    norm = linear_norms(view, [place], 1.0)
    still, moved = upto(images)[:, :, *place], []
    for matrices, shifts in transformations.values():
        field = norm * torch.einsum("pab,byx->payx", matrices, offsets) + shifts[:, :, None, None]
        displaced = remap(images, field)
        moved.append(torch.stack([(upto(displaced)[:, c, *place] - still[:, c]).square() for c in channels], dim=1))
    return torch.stack(moved)


def test_neurons_of_a_middle_layer(benchmark, report, vgg11):
    """The naive way takes 8 of the 256 neurons of a place, and as long for each of the others; ours takes all."""
    images = torch.randn(IMAGES, 3, 32, 32)
    view = views_of(vgg11, nn.ReLU, 32, 3)[LAYER]
    place, channels = view.places[27], range(0, 256, 32)
    transformations = unit_transformations(IMAGES, torch.Generator().manual_seed(0))

    def ours():
        return measure_responses(vgg11, {LAYER: view}, {LAYER: [place]}, images, transformations)[LAYER].moved[:, :, 0]

    def each_by_itself():
        return naive(vgg11, view, place, channels, images, transformations)

    expected = each_by_itself()
    torch.testing.assert_close(ours()[:, :, list(channels)], expected, rtol=1e-4, atol=1e-4 * float(expected.max()))
    times = seconds_in_turn(5, naive=each_by_itself, ours=ours)
    report(
        f"neurons of VGG11's {LAYER}, one place",
        times_faster_a_neuron=ratio(times, "naive", "ours") * 256 / len(channels),
    )
    benchmark.pedantic(ours, rounds=3)


WHOLE_LAYER = """
import resource, time
import torch
from torch import nn
from diffeo_stability import build_network
from diffeo_stability.core.cropping import views_of
from diffeo_stability.core.neurons import average_alphas, measure_responses, unit_transformations

torch.set_num_threads(2)
network = build_network("vgg11", 3, 32, 10).eval()
view = views_of(network, nn.ReLU, 32, 3)["relu4"]
images = torch.randn(100, 3, 32, 32)
start = time.perf_counter()
responses = measure_responses(network, {"relu4": view}, {"relu4": view.places}, images, unit_transformations(100))["relu4"]
alphas = average_alphas(responses, responding=0.05, top=10, resamples=1000, generator=torch.Generator().manual_seed(0))
assert responses.moved.shape == (4, 100, 64, 256) and alphas.neurons > 0
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_a_whole_layer(benchmark, report):
    """256 x 8 x 8 neurons, 100 images, four transformations: seconds and peak memory of a process of its own."""

    def measure():
        done = subprocess.run([sys.executable, "-c", WHOLE_LAYER], capture_output=True, text=True, check=True)
        return tuple(map(float, done.stdout.split()))

    seconds, peak = measure()
    report("256 x 8 x 8 neurons, 100 images, 4 transformations", seconds=seconds, peak_MiB=peak)
    benchmark.pedantic(measure, rounds=1)
