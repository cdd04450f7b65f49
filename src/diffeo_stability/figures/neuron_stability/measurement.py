"""How much neurons move when what is in their receptive field is translated, rotated, expanded or sheared.

Source: the November 2021 deck, "Is diffeo relative stability achieved also by getting locally invariant to the other linear
transformations?"
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...core.bootstrap import percentile_interval
from ...core.cropping import LayerView, Place
from ...core.images import Images
from ...core.neurons import (
    PATCH_CHOICES,
    Alphas,
    changing_norms,
    linear_norms,
    measure_responses,
    unit_transformations,
)
from ...core.receptive_fields import input_gradients
from ...core.seeds import generator_for
from ...data.datasets import Dataset
from ...data.probe import probe_images
from ..layer_neurons import alphas_of, named_views, places_by_layer
from ..measuring import evaluated_networks, layer_columns
from ..registry import Given, Measured
from ..settings import Probe
from .ways import SIZED_BY


def check_network(network: nn.Module, name: str, dataset: Dataset) -> None:
    """Raise :class:`InputError` if a network is no plain sequence of operations up to its ReLUs."""
    named_views(network, name, dataset)


def measure_neuron_stability(given: Given) -> Measured:
    """Measure alpha of the neurons after every ReLU of a training's network, at init and trained.

    Rotations, compressions and shears are made as large as translations in three ways (``size_by``): ``operator``: the Frobenius
    norm of U is the number of pixels that translations move by, as in the deck; ``displacement``: the same root-mean-square
    displacement over the effective receptive field, that of each place in each network; ``change``: the same mean
    ``|tau x - x|`` over what the neurons of a layer see.

    Returns:
        Rows of the table ``neuron_stability``, with ``norm`` the Frobenius norm of U, a mean over places; and of its summary:
        alpha of every other transformation over that of translations. Both with 95% bootstrap intervals over channels.

    Raises:
        InputError: a checkpoint that cannot be read, more images asked for than there are, or a network that is no plain sequence
            of operations.
    """
    dataset, settings, probe = given.dataset, given.settings, given.probe
    images = probe_images(dataset, settings.images, probe.seed, given.device)
    transformations = unit_transformations(len(images), generator_for("transformations", probe.seed))
    _, *linear = transformations
    rows, summary, changing = [], [], {}
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        network = evaluated.normalising_like(images, probe)
        views = named_views(network, evaluated.metadata["net"], dataset)
        places = places_by_layer(views, settings, probe)
        # What places see does not depend on weights: the same in every state
        changing = changing or {
            name: changing_norms(view, places[name], images, transformations, settings.size, probe.batch_size)
            for name, view in views.items()
        }
        weights = _effective_weights(network, places, images, probe)
        norms = {
            name: _norms_by_way(view, places[name], settings.size, weights[name], changing[name])
            for name, view in views.items()
        }
        measured = measure_responses(
            network,
            views,
            places,
            images,
            transformations,
            size=settings.size,
            norms=norms,
            batch_size=probe.batch_size,
        )
        for layer in layer_columns(evaluated.columns, measured):
            name = layer["layer"]
            alphas = alphas_of(measured[name], settings, probe, top=settings.strongest)
            counts = _counts(alphas, views[name], len(places[name]), len(images))
            by_way = _by_way(alphas, len(linear))
            means = dict(zip(SIZED_BY, norms[name].mean(-1).tolist(), strict=True))
            for way, of_way in by_way.items():
                rows += [layer | row | counts for row in _rows(of_way, way, list(transformations), means[way])]
                summary += [layer | row for row in _ratios(of_way, way, linear)]
    return Measured(rows, summary)


def _effective_weights(
    network: nn.Module, places: Mapping[str, Sequence[Place]], images: Images, probe: Probe
) -> dict[str, Tensor]:
    """What each pixel weighs in the effective receptive field of every place, by layer: ``(places, n, n)``."""
    found: dict[str, list[Tensor]] = {name: [] for name in places}
    for number in range(max(map(len, places.values()))):
        one_each = {name: of_layer[number] for name, of_layer in places.items() if number < len(of_layer)}
        maps = input_gradients(network, one_each, images, generator_for("signs", probe.seed), probe.batch_size)
        for name, of_place in maps.items():
            found[name].append(of_place.mean(0))
    return {name: torch.stack(of_layer) for name, of_layer in found.items()}


def _norms_by_way(view: LayerView, places: Sequence[Place], size: float, weights: Tensor, changing: Tensor) -> Tensor:
    """Frobenius norms of the linear transformations in each of ``SIZED_BY``, ``(ways, L, places)``.

    Args:
        weights: of pixels in the effective receptive field of each place, ``(places, n, n)``.
        changing: norms that change what places see as much as translations do, ``(L,)``.
    """
    shape = len(changing), len(places)
    by_displacement = linear_norms(view, places, size, weights)
    return torch.stack(
        (
            torch.full(shape, size, dtype=torch.float64),
            by_displacement.expand(shape),
            changing[:, None].expand(shape),
        )
    )


def _by_way(alphas: Alphas, linear: int) -> dict[str, Alphas]:
    """Of one layer, alphas of the translation and of the ``linear`` transformations after it, by way of making them equal."""
    picked = {way: [0, *range(1 + number * linear, 1 + (number + 1) * linear)] for number, way in enumerate(SIZED_BY)}
    return {
        way: replace(alphas, values=alphas.values[:, columns], resampled=alphas.resampled[:, columns])
        for way, columns in picked.items()
    }


def _counts(alphas: Alphas, view: LayerView, places: int, images: int) -> dict[str, int]:
    """Columns on how much a layer was measured on, and on the pixels along a side of its receptive fields."""
    start, stop = view.rows.receptive_field(0)
    return {
        "neurons": alphas.neurons,
        "left_out": alphas.left_out,
        "places": places,
        "all_places": len(view.places),
        "images": images,
        "receptive_field": stop - start,
    }


def _rows(alphas: Alphas, way: str, kinds: list[str], norms: list[float]) -> list[dict]:
    low, high = percentile_interval(alphas.resampled, skip_undefined=True)
    return [
        {
            "size_by": way,
            "transformation": kind,
            "patch_choice": choice,
            "alpha": float(alphas.values[row, column]),
            "low": float(low[row, column]),
            "high": float(high[row, column]),
            "norm": norm,
        }
        for row, choice in enumerate(PATCH_CHOICES)
        for column, (kind, norm) in enumerate(zip(kinds, (math.nan, *norms), strict=True))
    ]


def _ratios(alphas: Alphas, way: str, linear: list[str]) -> list[dict]:
    """Alpha of every transformation but the first over that of the first."""
    values = alphas.values[:, 1:] / alphas.values[:, :1]
    low, high = percentile_interval(alphas.resampled[:, 1:] / alphas.resampled[:, :1], skip_undefined=True)
    return [
        {
            "size_by": way,
            "transformation": kind,
            "patch_choice": choice,
            "ratio_to_translation": float(values[row, column]),
            "ratio_low": float(low[row, column]),
            "ratio_high": float(high[row, column]),
        }
        for row, choice in enumerate(PATCH_CHOICES)
        for column, kind in enumerate(linear)
    ]
