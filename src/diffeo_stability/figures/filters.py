"""Filters of a network by their Laplacian components, as several figures show them."""

import torch
from torch import Tensor, nn

from ..core.bootstrap import bootstrap_means, percentile_interval
from ..core.errors import InputError
from ..core.laplacian import laplacian_eigenspaces
from ..core.operations import named_operations


def square_filters(network: nn.Module) -> dict[str, Tensor]:
    """Return the filters ``(out, in, k, k)`` in double precision of every convolution that has square ones, by its name."""
    return {
        name: module.weight.detach().double()
        for name, module in named_operations(network).items()
        if isinstance(module, nn.Conv2d) and module.kernel_size[0] == module.kernel_size[1] >= 2
    }


def check_square_filters(network: nn.Module, name: str, stem: str) -> None:
    """Raise :class:`InputError` if no convolution of a network has square filters.

    Args:
        name, stem: of the network and of the figure, for the error.
    """
    if not square_filters(network):
        raise InputError(
            f"{name} has no convolution with square filters of at least 2 pixels: take it out of {stem}.networks"
        )


def component_rows(
    size: int, components: Tensor, initial: Tensor, resamples: int, generator: torch.Generator
) -> list[dict]:
    """Return the Laplacian components of one layer's filters at one time, and how they compare with those at init, as rows.

    Intervals are of a bootstrap over output channels, each of which keeps all its filters and is compared with itself at init.

    Args:
        size: pixels along a side of the filters.
        components, initial: of its channels, then and at init, ``(out, eigenspaces)``.
    """
    both = torch.cat((components, initial), dim=1).T
    means, initial_means = bootstrap_means(both, resamples, generator).chunk(2)
    ratio = components.mean(0) / initial.mean(0)
    low, high = percentile_interval(means / initial_means)
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
