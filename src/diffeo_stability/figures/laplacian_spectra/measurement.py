"""Filters in the eigenbasis of the graph Laplacian on their grid, from the smoothest component to the roughest.

Source: the October 2021 deck, "Filters actually learn to pool".
"""

import torch
from torch import nn

from ...core.laplacian import laplacian_components
from ...core.seeds import generator_for
from ...data.datasets import Dataset
from ...networks.checkpoints import list_checkpoints, read_metadata
from ..filters import check_square_filters, component_rows, square_filters
from ..measuring import describe, is_imported, layer_columns, load_network
from ..registry import Given, Measured


def check_network(network: nn.Module, name: str, _dataset: Dataset | None) -> None:
    """Raise :class:`InputError` if a network has no filters with such components."""
    check_square_filters(network, name, "laplacian_spectra")


def measure_laplacian_spectra(given: Given) -> Measured:
    r"""Measure the Laplacian components of a training's filters at every checkpoint, by convolution and eigenspace.

    Convolutions whose filters are not square, or of one pixel, are left out.

    Returns:
        Rows of the table ``laplacian_spectra``. ``ratio`` is :math:`c_{t, \lambda} / c_{0, \lambda}`, with the 95% interval
        of a bootstrap over output channels. A channel keeps all its filters, which are trained together and are not
        independent of each other, and is compared with itself at init; that of a network with weights from elsewhere is drawn
        anew, or where it has none at all the ratio is NaN.

    Raises:
        InputError: a checkpoint that cannot be read, or a network without such a convolution.
    """
    rows, initial = [], {}
    paths = list_checkpoints(given.checkpoints)
    without_init = len(paths) == 1 and is_imported(read_metadata(paths[0]))
    for path in paths:
        network, metadata = load_network(path, given.device)
        check_network(network, metadata["net"], None)
        layers = {name: laplacian_components(filters).mean(1) for name, filters in square_filters(network).items()}
        if not initial:
            initial = {
                name: torch.full_like(components, torch.nan) if without_init else components
                for name, components in layers.items()
            }
        time = {"step": metadata["step"], "epoch": metadata["epoch"]}
        for layer in layer_columns(describe(None, metadata), layers):
            name = layer["layer"]
            generator = generator_for("filters", given.probe.seed, name)
            size = network.get_submodule(name).kernel_size[0]
            found = component_rows(size, layers[name], initial[name], given.probe.resamples, generator)
            rows += [layer | time | row for row in found]
    return Measured(rows)
