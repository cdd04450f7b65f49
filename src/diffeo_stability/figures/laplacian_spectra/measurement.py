"""Filters in the eigenbasis of the graph Laplacian on their grid, from the smoothest component to the roughest.

Source: the October 2021 deck, "Filters actually learn to pool".
"""

import torch
from torch import Tensor, nn

from ...core.bootstrap import bootstrap_means, percentile_interval
from ...core.errors import InputError
from ...core.laplacian import laplacian_components, laplacian_eigenspaces
from ...core.operations import named_operations
from ...core.seeds import generator_for
from ...networks.checkpoints import list_checkpoints, read_metadata
from ..measuring import describe, is_imported, layer_columns, load_network
from ..registry import Given, Measured


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
        layers = {name: laplacian_components(filters).mean(1) for name, filters in _square_filters(network).items()}
        if not layers:
            raise InputError(
                f"{metadata['net']} has no convolution with square filters of at least 2 pixels: "
                "take it out of laplacian_spectra.networks"
            )
        if not initial:
            initial = {
                name: torch.full_like(components, torch.nan) if without_init else components
                for name, components in layers.items()
            }
        time = {"step": metadata["step"], "epoch": metadata["epoch"]}
        for layer in layer_columns(describe(None, metadata), layers):
            name = layer["layer"]
            generator = generator_for("filters", given.probe.seed, name)
            both = torch.cat((layers[name], initial[name]), dim=1).T
            means, initial_means = bootstrap_means(both, given.probe.resamples, generator).chunk(2)
            convolution = network.get_submodule(name)
            for row in _layer_rows(convolution, layers[name], initial[name], means / initial_means):
                rows.append(layer | time | row)
    return Measured(rows)


def _square_filters(network: nn.Module) -> dict[str, Tensor]:
    """Filters ``(out, in, k, k)`` in double precision of every convolution that has square ones, by name of the layer."""
    return {
        name: module.weight.detach().double()
        for name, module in named_operations(network).items()
        if isinstance(module, nn.Conv2d) and module.kernel_size[0] == module.kernel_size[1] >= 2
    }


def _layer_rows(convolution: nn.Conv2d, components: Tensor, initial: Tensor, ratios: Tensor) -> list[dict]:
    """Rows of one layer at one time.

    Args:
        components, initial: of its channels, then and at init, ``(out, eigenspaces)``.
        ratios: of bootstrap samples of the channels, ``(eigenspaces, resamples)``.
    """
    size = convolution.kernel_size[0]
    ratio = components.mean(0) / initial.mean(0)
    low, high = percentile_interval(ratios)
    return [
        {
            "filter_size": size,
            "eigenvalue": eigenvalue,
            "multiplicity": len(basis),
            "c": float(components[:, index].mean()),
            "ratio": float(ratio[index]),
            "ratio_low": float(low[index]),
            "ratio_high": float(high[index]),
        }
        for index, (eigenvalue, basis) in enumerate(laplacian_eigenspaces(size))
    ]
