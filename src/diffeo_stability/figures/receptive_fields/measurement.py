"""Receptive fields, theoretical and effective, and what a rotation does that is not about their centre.

A rotation about a point at distance d from the centre of a receptive field is one about that centre and a translation by d times
the angle: to an object that is off centre, a rotation is a translation.

Source: the November 2021 deck, "For neurons deep in the net, receptive fields are large and the effect of different
transformations can start to mix up". Effective receptive fields: Luo et al., arXiv:1701.04128.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...core.bootstrap import bootstrap_means, percentile_interval
from ...core.cropping import LayerView, Place, activations_of
from ...core.errors import InputError
from ...core.gradients import rotation_matrix
from ...core.images import Images, batches_of
from ...core.neurons import Affine, Alphas, interval_of, measure_affine
from ...core.seeds import generator_for
from ...data.probe import probe_images
from ..measuring import alphas_of, evaluated_networks, layer_columns, named_views, places_by_layer
from ..registry import Given, Measured
from ..settings import Probe


def middle_place(view: LayerView) -> Place:
    """Return the place in the middle of a layer."""
    return Place(view.rows.sizes[-1] // 2, view.columns.sizes[-1] // 2)


def input_gradients(
    network: nn.Module, places: Mapping[str, Place], images: Images, generator: torch.Generator, batch_size: int = 100
) -> dict[str, Tensor]:
    r"""Return how much each pixel moves the neurons at one place of each layer: ``(P, n, n)`` float64 each.

    :math:`\sum_{ch} |\nabla a_{ch}|^2` in expectation: the squared gradient of the sum over channels with random signs, one
    backward pass per layer. Colours are added up.

    Args:
        places: by layer, the name of the operation whose outputs are the neurons.
    """
    maps: dict[str, list[Tensor]] = {layer: [] for layer in places}
    for _, part in batches_of(images, batch_size):
        batch = part.clone().requires_grad_(True)
        for layer, activations in activations_of(network, places, batch).items():
            here = activations[:, :, places[layer].row, places[layer].column]
            signs = 2.0 * torch.randint(2, here.shape, generator=generator) - 1
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


def off_centre_rotations(
    count: int, distances: list[float], generator: torch.Generator | None = None
) -> dict[tuple[str, float], Affine]:
    """Return rotations of Frobenius norm 1 about points at several distances, and what they move the centre by, alone.

    Returns:
        ``("rotation", d)`` and, for d > 0, ``("translation", d)``: one per image, float64. The point lies in the same random
        direction at every distance, and the rotation turns the same way.
    """
    angles = 2 * math.pi * torch.rand(count, generator=generator, dtype=torch.float64)
    matrices = (2.0 * torch.randint(2, (count, 1, 1), generator=generator) - 1) * rotation_matrix()
    directions = torch.stack((angles.cos(), angles.sin()), dim=1)
    moved = -(matrices @ directions[:, :, None])[:, :, 0]  # U (s - c - d e) = U (s - c) - d U e
    fields = {("rotation", distance): Affine(matrices, distance * moved) for distance in distances}
    still = torch.zeros_like(matrices)
    return fields | {
        ("translation", distance): Affine(still, distance * moved) for distance in distances if distance > 0
    }


def measure_receptive_fields(given: Given) -> Measured:
    """Measure the receptive fields of the neurons after every ReLU of a training's network, at init and trained.

    Returns:
        Rows of the table ``receptive_fields``, about the place in the middle of each layer; rows of its summary, alpha of
        rotations about points at several distances from the receptive field's centre and of the translations that they are
        there; and the weights of the effective fields by state, ``(layers, n, n)``.

    Raises:
        InputError: a checkpoint that cannot be read, more images asked for than there are, a network that is no plain sequence of
            operations, or a layer that does not respond.
    """
    dataset, settings, probe = given.dataset, given.settings, given.probe
    images = probe_images(dataset, settings.images, probe.seed, given.device)
    fields = off_centre_rotations(len(images), settings.distances, generator_for("rotations", probe.seed))
    rows, summary, pictures = [], [], {}
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        network, name = evaluated.normalising_like(images, probe), evaluated.metadata["net"]
        views = named_views(network, name, dataset)
        effective = _effective_fields(network, views, images, probe, f"{name}, {evaluated.state}")
        places = places_by_layer(views, settings, probe)
        # The angle is that of a rotation about the receptive field's own centre, wherever the centre is
        measured = measure_affine(
            network, views, places, images, list(fields.values()), size=settings.size, batch_size=probe.batch_size
        )
        for layer in layer_columns(evaluated.columns, views):
            name = layer["layer"]
            rows.append(layer | _describe_field(views[name], effective[name]) | {"images": len(images)})
            alphas = alphas_of(measured[name], settings, probe, top=1)
            summary += [layer | row | {"places": len(places[name])} for row in _alpha_rows(alphas, list(fields))]
        pictures.setdefault(evaluated.state, torch.stack([field.weights.float() for field in effective.values()]))
    return Measured(rows, summary, pictures)


def _effective_fields(
    network: nn.Module, views: Mapping[str, LayerView], images: Images, probe: Probe, which: str
) -> dict[str, EffectiveField]:
    """Effective receptive fields of the neurons in the middle of each layer; an error says which network's they are."""
    middles = {name: middle_place(view) for name, view in views.items()}
    maps = input_gradients(network, middles, images, generator_for("signs", probe.seed), probe.batch_size)
    fields = {}
    for name in views:
        try:
            fields[name] = effective_field(maps[name], probe.resamples, generator_for("effective", probe.seed))
        except InputError as error:
            raise InputError(f"{which}, {name}: {error}") from None
    return fields


def _alpha_rows(alphas: Alphas, fields: list[tuple[str, float]]) -> list[dict]:
    """Alpha over the patches in all images, under each field, with its 95% interval."""
    low, high = interval_of(alphas.resampled[:1])
    return [
        {
            "transformation": kind,
            "distance": distance,
            "alpha": float(alphas.values[0, number]),
            "low": float(low[0, number]),
            "high": float(high[0, number]),
            "neurons": alphas.neurons,
            "left_out": alphas.left_out,
        }
        for number, (kind, distance) in enumerate(fields)
    ]


def _describe_field(view: LayerView, effective: EffectiveField) -> dict:
    """Columns on the place in the middle of a layer."""
    place = middle_place(view)
    start, stop = view.rows.receptive_field(place.row)
    return {
        "size": stop - start,
        "stride": view.rows.stride,
        "centre_x": view.columns.centre(place.column),
        "centre_y": view.rows.centre(place.row),
        "effective_size": effective.size,
        "effective_low": effective.low,
        "effective_high": effective.high,
        "effective_x": effective.x,
        "effective_y": effective.y,
        "rows": view.rows.sizes[-1],
        "image_size": view.rows.size,
    }
