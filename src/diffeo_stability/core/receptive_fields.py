"""Which pixels move a layer's neurons: effective receptive fields, from gradients with respect to the input.

Source: Luo et al., arXiv:1701.04128.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .bootstrap import bootstrap_means, percentile_interval
from .cropping import LayerView, Place, activations_of
from .errors import InputError
from .images import Images, batches_of


def middle_place(view: LayerView) -> Place:
    """Return the place in the middle of a layer."""
    return Place(view.rows.sizes[-1] // 2, view.columns.sizes[-1] // 2)


def input_gradients(
    network: nn.Module, places: Mapping[str, Place], images: Images, generator: torch.Generator, batch_size: int = 100
) -> dict[str, Tensor]:
    r"""Return how much each pixel moves the neurons at one place of each layer: ``(P, n, n)`` float64 each.

    :math:`\sum_{ch} |\nabla a_{ch}|^2` in expectation: the squared gradient of the sum over channels with random signs, one
    backward pass per layer. Colours are added up. The batch size changes nothing but rounding.

    Args:
        places: by layer, the name of the operation whose outputs are the neurons.
    """
    maps: dict[str, list[Tensor]] = {layer: [] for layer in places}
    seeds = torch.randint(2**62, (len(places),), generator=generator).tolist()
    of_signs = {layer: torch.Generator().manual_seed(seed) for layer, seed in zip(places, seeds, strict=True)}
    for _, part in batches_of(images, batch_size):
        batch = part.clone().requires_grad_(True)
        for layer, activations in activations_of(network, places, batch).items():
            here = activations[:, :, places[layer].row, places[layer].column]
            signs = 2.0 * torch.randint(2, here.shape, generator=of_signs[layer]) - 1
            (gradient,) = torch.autograd.grad((here * signs.to(here)).sum(), batch, retain_graph=True)
            maps[layer].append(gradient.double().square().sum(1).cpu())
    return {layer: torch.cat(parts) for layer, parts in maps.items()}


class EffectiveField(NamedTuple):
    """An effective receptive field.

    Attributes:
        size, low, high: pixels along a side of the square of the same variance, with its bootstrap interval over images.
        x, y: its centre in pixels.
        weights: of every pixel, adding up to 1, ``(n, n)``.
    """

    size: float
    low: float
    high: float
    x: float
    y: float
    weights: Tensor


def effective_field(maps: Tensor, resamples: int, generator: torch.Generator) -> EffectiveField:
    r"""Return the effective receptive field from maps of squared gradients, ``(P, n, n)``.

    Its size is that of the uniform square whose variance along an axis is that of the mean map's weights,
    :math:`k = \sqrt{12 \sigma^2 + 1}`, :math:`\sigma^2` a mean over both axes: a uniform field of k pixels has size k.

    Raises:
        InputError: no pixel has any weight.
    """
    if not maps.sum() > 0:
        raise InputError("its neurons respond to none of the images: there is no effective receptive field")
    pixel = torch.arange(maps.shape[-1], dtype=maps.dtype)
    x, y = maps.sum(1), maps.sum(2)
    moments = torch.stack((x.sum(1), x @ pixel, y @ pixel, x @ pixel**2 + y @ pixel**2))

    def size_of(moments: Tensor) -> Tensor:
        weight, first_x, first_y, second = moments
        variance = (second / weight - (first_x / weight) ** 2 - (first_y / weight) ** 2) / 2
        return (12 * variance.clamp_min(0) + 1).sqrt()

    mean = moments.mean(1)
    resampled = size_of(bootstrap_means(moments, resamples, generator))
    low, high = percentile_interval(resampled[resampled.isfinite()])
    centre = (mean[1:3] / mean[0]).tolist()
    return EffectiveField(float(size_of(mean)), float(low), float(high), *centre, maps.mean(0) / maps.mean(0).sum())
