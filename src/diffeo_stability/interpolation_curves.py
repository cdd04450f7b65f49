r"""Figure ``interpolation_curves``: from an image x towards another one, z, beside isotropic noise of the same norm.

The perturbation is :math:`r (z - x) / |z - x|`. Source: the October 2021 deck.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from . import config
from .datasets import Dataset, Images
from .errors import InputError
from .noise_curves import Perturb, curve_rows, log_spaced, measure_curves, noise_of_norms, resample
from .probing import describe, networks_by_state, probe_on
from .seeds import generator_for
from .stability import norms_of


def partners(count: int, generator: torch.Generator) -> Tensor:
    """Return for each of ``count`` images another one, ``(count,)``: its successor in a random cyclic order.

    Raises:
        InputError: there is one image only.
    """
    if count < 2:
        raise InputError(f"images hold {count}: at least 2 are needed, for the direction from one to another")
    order = torch.randperm(count, generator=generator)
    partner = torch.empty_like(order)
    partner[order] = order.roll(-1)
    return partner


def towards(images: Images, partner: Tensor, norms: list[float]) -> Perturb:
    """Move by each norm from each image straight towards its partner, and past it where the norm is larger."""

    def perturb(batch: Tensor, part: slice) -> Iterator[Tensor]:
        # Partners lie anywhere: pick them one by one, so that only a batch of them is in memory
        others = torch.cat([images[int(index) : int(index) + 1] for index in partner[part]])
        direction = others - batch
        lengths = norms_of(direction)
        if (lengths == 0).any():
            raise InputError("two of the images are the same: there is no direction from one to the other")
        direction = direction / lengths.to(batch.dtype)[:, None, None, None]
        return (batch + norm * direction for norm in norms)

    return perturb


def mean_distance(images: Images, partner: Tensor) -> float:
    """Return the mean distance between images and their partners."""
    pairs = enumerate(partner.tolist())
    return sum(float(norms_of(images[j : j + 1] - images[i : i + 1])) for i, j in pairs) / len(images)


def measure_interpolation_curves(
    folder: str | Path,
    dataset: Dataset,
    settings: config.InterpolationCurves,
    probe: config.Probe,
    device: torch.device | str,
) -> list[dict]:
    """Measure a training's network at init and trained: rows of the table ``interpolation_curves``, one a norm.

    Args:
        folder: the training's checkpoints.

    Raises:
        InputError: two equal probe images, or a network whose outputs are NaN or the same for every image.
    """
    images = probe_on(dataset, probe, device)
    partner = partners(len(images), generator_for("partners", probe.seed))
    norms = log_spaced(settings.smallest_norm, settings.largest_norm, settings.norms)
    reach = {"datapoint_distance": mean_distance(images, partner)}
    rows = []
    for state, network, metadata in networks_by_state(folder, device):
        perturbations = {
            "datapoint": towards(images, partner, norms),
            "noise": noise_of_norms(norms, generator_for("noise", probe.seed)),
        }
        curves = measure_curves(network, images, images.labels, perturbations, batch_size=probe.batch_size)
        for (name, output), curve in curves.items():
            resampled = resample(curve.distances, probe.resamples, generator_for("bootstrap", probe.seed))
            own = curve_rows(describe(state, metadata), name, output, curve, norms, resampled)
            rows += [row | reach for row in own]
    return rows
