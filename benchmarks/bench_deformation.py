"""Deforming images: against one image at a time, and against the bare resampling that cannot be avoided."""

import math
import statistics

import pytest
import torch
import torch.nn.functional as F
from timing import ratio, seconds_in_turn

from diffeo_stability import deform, displacement_field, remap, sample_coefficients, temperature_from_displacement

SHAPES = [(500, 3, 32), (32, 3, 224)]


def deform_one(image, temperature, cutoff, coefficients=None):
    """One image ``(C, n, n)``, deformed from the definition: the mode sum, then four gathered neighbours."""
    n = image.shape[-1]
    position = torch.linspace(0, 1, n)
    k = torch.arange(1, cutoff + 1)
    i, j = torch.meshgrid(k, k, indexing="ij")
    r = (i**2 + j**2).sqrt()
    scale = (r < cutoff + 0.5) / r
    sines = torch.sin(math.pi * position[:, None] * k)
    places = torch.meshgrid(torch.arange(n, dtype=image.dtype), torch.arange(n, dtype=image.dtype), indexing="ij")
    moved = []
    for axis, place in ((0, places[1]), (1, places[0])):
        c = torch.randn(cutoff, cutoff) * scale * temperature**0.5 if coefficients is None else coefficients[axis]
        moved.append((place - n * torch.einsum("ij,xi,yj->yx", c, sines, sines)).clamp(0, n - 1))
    x, y = moved
    left, top, right, bottom = x.floor().long(), y.floor().long(), x.ceil().long(), y.ceil().long()
    a, b = x - left, y - top
    above = (1 - a) * image[:, top, left] + a * image[:, top, right]
    below = (1 - a) * image[:, bottom, left] + a * image[:, bottom, right]
    return (1 - b) * above + b * below


@pytest.mark.parametrize(("batch", "channels", "size"), SHAPES, ids=lambda value: str(value))
def test_deform(benchmark, report, batch, channels, size):
    images = torch.rand(batch, channels, size, size)
    temperature = temperature_from_displacement(1.0, 3, size)
    field = displacement_field(sample_coefficients(batch, 3, temperature), size)
    axis = torch.linspace(-1, 1, size)
    identity = torch.stack((axis.expand(size, size), axis[:, None].expand(size, size)))
    grid = (identity - 2 / (size - 1) * field).permute(0, 2, 3, 1)
    grids = {"planar": grid, "interleaved": grid.contiguous()}

    def bare(layout):
        return lambda: F.grid_sample(images, grids[layout], padding_mode="border", align_corners=True)

    # The bare one first and last, so that neither of the two is the one that finds the cache warm
    times = seconds_in_turn(
        41,
        interleaved=bare("interleaved"),
        deform=lambda: deform(images),
        planar=bare("planar"),
    )
    loop = seconds_in_turn(
        5, deform=lambda: deform(images), loop=lambda: [deform_one(x, temperature, 3) for x in images]
    )
    report(
        f"deform {batch} x {channels} x {size} x {size}",
        images_per_second=batch / statistics.median(times["deform"]),
        times_the_loop=ratio(loop, "loop", "deform"),
        of_bare_grid_sample=ratio(times, "interleaved", "deform"),
        of_bare_grid_sample_planar=ratio(times, "planar", "deform"),
    )
    benchmark(deform, images)


@pytest.mark.parametrize(("batch", "channels", "size"), SHAPES, ids=lambda value: str(value))
def test_same_result_as_the_loop(benchmark, report, batch, channels, size):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(batch, channels, size, size, generator=generator)
    temperature = temperature_from_displacement(1.0, 3, size)
    coefficients = sample_coefficients(batch, 3, temperature, generator=generator)
    ours = benchmark(lambda: remap(images, displacement_field(coefficients, size)))
    loop = torch.stack([deform_one(x, temperature, 3, c) for x, c in zip(images, coefficients, strict=True)])
    report(f"largest difference from the loop, {size} pixels", difference=float((ours - loop).abs().max()))
