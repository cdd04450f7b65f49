"""Receptive fields, theoretical and effective, and what a rotation does that is not about their centre.

A rotation about a point at distance d from the centre of a receptive field is one about that centre and a translation by d times
the angle: to an object that is off centre, a rotation is a translation.

Source: the November 2021 deck, "For neurons deep in the net, receptive fields are large and the effect of different
transformations can start to mix up". Effective receptive fields: Luo et al., arXiv:1701.04128.
"""

import math
from collections.abc import Mapping

import torch
from torch import nn

from ...core.bootstrap import percentile_interval
from ...core.cropping import LayerView
from ...core.errors import InputError
from ...core.gradients import rotation_matrix
from ...core.images import Images
from ...core.neurons import Affine, Alphas, linear_norms, measure_affine
from ...core.receptive_fields import EffectiveField, effective_field, input_gradients, middle_place
from ...core.seeds import generator_for
from ...data.datasets import Dataset
from ...data.probe import probe_images
from ..layer_neurons import alphas_of, named_views, places_by_layer
from ..measuring import evaluated_networks, layer_columns
from ..registry import Given, Measured
from ..settings import Probe


def check_network(network: nn.Module, name: str, dataset: Dataset) -> None:
    """Raise :class:`InputError` if a network is no plain sequence of operations up to its ReLUs."""
    named_views(network, name, dataset)


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
        there; and the weights of the effective fields by state, ``(layers, n, n)``, at init those of the reading of batch-norm
        that figures show.

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
        norms = {
            layer: linear_norms(view, places[layer], settings.size).expand(len(fields), -1)
            for layer, view in views.items()
        }
        measured = measure_affine(
            network, views, places, images, list(fields.values()), norms, batch_size=probe.batch_size
        )
        for layer in layer_columns(evaluated.columns, views):
            name = layer["layer"]
            rows.append(layer | _describe_field(views[name], effective[name]) | {"images": len(images)})
            alphas = alphas_of(measured[name], settings, probe, top=len(images))
            summary += [layer | row | {"places": len(places[name])} for row in _alpha_rows(alphas, list(fields))]
        # At init the reading that figures show comes first, and its picture stays
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
    low, high = percentile_interval(alphas.resampled[:1], skip_undefined=True)
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
