"""Filters in the eigenbasis of the graph Laplacian on their grid, from the smoothest component to the roughest.

Source: the October 2021 deck, "Filters actually learn to pool".
"""

import math

import torch
from torch import Tensor

from .checks import check_tensor, check_whole, finite
from .errors import InputError

LARGEST_SIZE = 96  # whose eigenvectors take 700 MB
DEGENERATE = 1e-9  # eigenvalues closer than this are one eigenspace


def laplacian_eigenspaces(size: int) -> list[tuple[float, Tensor]]:
    r"""Return the eigenspaces of the free-boundary graph Laplacian on the ``size x size`` grid, smoothest first.

    On a path of k vertices the eigenvalues are :math:`2 - 2 \cos(\pi m / k)` with the vectors of the discrete cosine
    transform; on the grid they add up and the vectors multiply.

    Returns:
        For each eigenspace its eigenvalue and an orthonormal basis, ``(multiplicity, size, size)`` float64. A degenerate
        eigenspace has no preferred basis.

    Raises:
        InputError: ``size`` below 1 or above 96.
    """
    check_whole("size", size, 1, LARGEST_SIZE)
    mode = torch.arange(size, dtype=torch.float64)
    vectors = torch.cos(math.pi * mode[:, None] * (mode + 0.5) / size)
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
    check_tensor("filters", filters)
    if filters.ndim < 2 or filters.shape[-1] != filters.shape[-2] or filters.numel() == 0:
        raise InputError(f"filters have shape {tuple(filters.shape)}: it must be (..., k, k), and not empty")
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
        InputError: filters that are not square or not floating point, none at all, or NaN or infinite numbers in them.
    """
    components = laplacian_components(filters)
    return finite(components.reshape(-1, components.shape[-1]).mean(0), "the spectrum")
