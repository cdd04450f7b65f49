"""What figures on single neurons share: which neurons of each layer are measured, and what is told of them."""

from collections.abc import Mapping

import torch
from torch import nn

from ..core.cropping import LayerView, Place, views_of
from ..core.errors import InputError
from ..core.neurons import Alphas, Responses, average_alphas
from ..core.seeds import generator_for
from ..data.datasets import Dataset
from .settings import Neurons, Probe


def named_views(network: nn.Module, name: str, dataset: Dataset) -> dict[str, LayerView]:
    """Return the views of a network's ReLUs; an error names the network."""
    try:
        return views_of(network, nn.ReLU, dataset.image_size, dataset.channels)
    except InputError as error:
        raise InputError(f"{name}: {error}; take it out of the figure's networks") from None


def pick_places(view: LayerView, count: int | None, *purpose: str | int) -> list[Place]:
    """Return the places of a layer, or ``count`` of them drawn at random for a purpose, in order."""
    places = view.places
    if count is None or count >= len(places):
        return places
    picked = torch.randperm(len(places), generator=generator_for("places", *purpose))[:count]
    return [places[number] for number in sorted(picked.tolist())]


def places_by_layer(views: Mapping[str, LayerView], neurons: Neurons, probe: Probe) -> dict[str, list[Place]]:
    """Return the places of each layer whose neurons are measured, as a figure's block says."""
    return {name: pick_places(view, neurons.places, probe.seed, name) for name, view in views.items()}


def alphas_of(responses: Responses, neurons: Neurons, probe: Probe, *, top: int) -> Alphas:
    """Return what became of a layer's neurons as a figure's block says, averaged; see :func:`average_alphas`."""
    return average_alphas(
        responses,
        responding=neurons.responding,
        top=top,
        resamples=probe.resamples,
        generator=generator_for("channels", probe.seed),
    )
