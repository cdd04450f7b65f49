"""Filters in the eigenbasis of the graph Laplacian on their grid, from the smoothest component to the roughest.

Source: the October 2021 deck, "Filters actually learn to pool".
"""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from .bootstrap import bootstrap_means, percentile_interval
from .checkpoints import list_checkpoints, load_checkpoint
from .config import Probe
from .errors import InputError
from .operations import named_operations
from .probing import describe
from .seeds import generator_for

DEGENERATE = 1e-9  # eigenvalues closer than this are one eigenspace


def laplacian_eigenspaces(size: int) -> list[tuple[float, Tensor]]:
    r"""Return the eigenspaces of the free-boundary graph Laplacian on the ``size x size`` grid, smoothest first.

    On a path of k vertices the eigenvalues are :math:`2 - 2 \cos(\pi m / k)` with the vectors of the discrete cosine
    transform; on the grid they add up and the vectors multiply.

    Returns:
        For each eigenspace its eigenvalue and an orthonormal basis, ``(multiplicity, size, size)`` float64. A degenerate
        eigenspace has no preferred basis.

    Raises:
        InputError: ``size`` below 1.
    """
    if size < 1:
        raise InputError(f"size is {size}: it must be at least 1")
    mode, place = torch.arange(size, dtype=torch.float64), torch.arange(size, dtype=torch.float64) + 0.5
    vectors = torch.cos(math.pi * mode[:, None] * place / size)
    vectors /= vectors.norm(dim=1, keepdim=True)
    values = 2 - 2 * torch.cos(math.pi * mode / size)
    products = torch.einsum("iy,jx->ijyx", vectors, vectors).flatten(0, 1)
    sums, order = (values[:, None] + values).flatten().sort(stable=True)
    starts = torch.nonzero(torch.diff(sums, prepend=sums[:1] - 1) > DEGENERATE)[:, 0].tolist()
    ends = [*starts[1:], len(sums)]
    return [
        (float(sums[start:end].mean()), products[order[start:end]]) for start, end in zip(starts, ends, strict=True)
    ]


def laplacian_components(filters: Tensor) -> Tensor:
    r"""Return each filter's :math:`(w \cdot \Psi_\lambda)^2`, a mean over each eigenspace's basis.

    Args:
        filters: ``(..., k, k)``, floating point.

    Returns:
        ``(..., eigenspaces)``, in the order of :func:`laplacian_eigenspaces`; it does not depend on the choice of basis.

    Raises:
        InputError: filters that are not square or not floating point, or none at all.
    """
    if filters.ndim < 2 or filters.shape[-1] != filters.shape[-2] or filters.numel() == 0:
        raise InputError(f"filters have shape {tuple(filters.shape)}: it must be (..., k, k), and not empty")
    if not filters.is_floating_point():
        raise InputError(f"filters are {filters.dtype}: they must be floating point")
    flat = filters.flatten(-2)
    return torch.stack(
        [
            (flat @ basis.flatten(1).T.to(flat)).square().mean(-1)
            for _, basis in laplacian_eigenspaces(filters.shape[-1])
        ],
        dim=-1,
    )


def laplacian_spectrum(filters: Tensor) -> Tensor:
    r"""Return :math:`c_\lambda = \langle (w \cdot \Psi_\lambda)^2 \rangle` over filters and over each eigenspace's basis.

    Args:
        filters: ``(..., k, k)``, floating point.

    Returns:
        ``(eigenspaces,)``, in the order of :func:`laplacian_eigenspaces`; it does not depend on the choice of basis.

    Raises:
        InputError: filters that are not square or not floating point, or none at all.
    """
    components = laplacian_components(filters)
    return components.reshape(-1, components.shape[-1]).mean(0)


def measure_laplacian_spectra(folder: str | Path, probe: Probe) -> list[dict]:
    r"""Measure the Laplacian components of a training's filters at every checkpoint, by convolution and eigenspace.

    Convolutions whose filters are not square, or of one pixel, are left out.

    Args:
        folder: the training's checkpoints.
        probe: its ``seed`` and ``resamples`` are those of the bootstrap.

    Returns:
        Rows of the table ``laplacian_spectra``. ``ratio`` is :math:`c_{t, \lambda} / c_{0, \lambda}`, with the 95% interval
        of a bootstrap over output channels. A channel keeps all its filters, which are trained together and are not
        independent of each other, and is compared with itself at init.

    Raises:
        InputError: a checkpoint that cannot be read, or a network without such a convolution.
    """
    rows, initial = [], {}
    for path in list_checkpoints(folder):
        network, metadata = load_checkpoint(path)
        layers = {name: laplacian_components(filters).mean(1) for name, filters in _square_filters(network).items()}
        if not layers:
            raise InputError(
                f"{metadata['net']} has no convolution with square filters of at least 2 pixels: "
                "take it out of laplacian_spectra.networks"
            )
        initial = initial or layers
        identity = describe(None, metadata)
        for index, (name, components) in enumerate(layers.items(), start=1):
            time = {"layer": name, "layer_index": index, "step": metadata["step"], "epoch": metadata["epoch"]}
            generator = generator_for("filters", probe.seed, name)
            both = torch.cat((components, initial[name]), dim=1).T
            means = bootstrap_means(both, probe.resamples, generator).chunk(2)
            for row in _layer_rows(network.get_submodule(name), components, initial[name], means[0] / means[1]):
                rows.append(identity | time | row)
    return rows


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
            "c": float(components[:, place].mean()),
            "ratio": float(ratio[place]),
            "ratio_low": float(low[place]),
            "ratio_high": float(high[place]),
        }
        for place, (eigenvalue, basis) in enumerate(laplacian_eigenspaces(size))
    ]
