"""Filters of the first convolution at init and trained, and how well a Gabor function fits them.

The eight parameters of a Gabor function fit part of any filter, and more of a smooth one, so that only the same fit on filters of
no shape says what is a good one: on untrained ones, and on random mixtures of the trained ones.

Source: the October 2021 deck, "a net trained with 9x9 filters seems to get to Gabor filters".
"""

from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import InputError
from ...core.gabor import SMALLEST_FILTER, Gabor, fit_gabor, gabor, r_squared
from ...core.seeds import generator_for
from ...data.datasets import Dataset
from ..measuring import describe, networks_by_state
from ..registry import Given, Measured


def leading_component(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the spatial part of the product of colour and space that is nearest to each filter, and its share of energy.

    Args:
        weight: of a convolution, ``(F, C, k, k)``.

    Returns:
        ``(F, k, k)``, of the norm of that product and the sign of the sum over input channels; and ``(F,)``, 1 for one
        input channel.
    """
    flat = weight.detach().double().flatten(2)
    _, strengths, spatial = torch.linalg.svd(flat, full_matrices=False)
    leading = strengths[:, :1] * spatial[:, 0]
    agree = (leading * flat.sum(1)).sum(1, keepdim=True) >= 0
    share = strengths[:, 0].square() / strengths.square().sum(1)
    return torch.where(agree, leading, -leading).unflatten(1, weight.shape[2:]), share


def power_spectra(filters: Tensor) -> Tensor:
    """Return ``|FFT|^2`` of filters ``(F, k, k)`` without their means, frequency 0 at the centre."""
    spectra = torch.fft.fft2(filters - filters.mean((-2, -1), keepdim=True)).abs().square()
    return torch.fft.fftshift(spectra, dim=(-2, -1))


def mix(filters: Tensor, generator: torch.Generator) -> Tensor:
    """Return random mixtures of filters, as many as there are: ``(F, k, k)``.

    Each is a sum of all filters, scaled to norm 1, with Gaussian weights. Mixtures have the pixel covariance of the filters,
    so that they are as smooth, and as strong in the middle or at the edge, but no shape of their own: filters that are
    Gaussian fields themselves cannot be told from their mixtures.
    """
    flat = torch.nn.functional.normalize(filters.flatten(1), dim=1)
    weights = torch.randn(len(flat), len(flat), generator=generator, dtype=filters.dtype)
    return (weights @ flat / len(flat) ** 0.5).view_as(filters)


def check_network(network: nn.Module, name: str, _dataset: Dataset) -> None:
    """Raise :class:`InputError` if a network has no first filters that Gabor functions can be fitted to."""
    try:
        first_layer(network)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def first_layer(network: nn.Module) -> Tensor:
    """Return the weight of a network's first convolution, ``(F, C, k, k)``.

    Raises:
        InputError: there is none, or its filters are too small for a Gabor function.
    """
    convolution = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    if convolution is None:
        raise InputError("the network has no convolution: leave it out of first_layer_filters.networks")
    rows, columns = convolution.kernel_size
    if rows != columns or rows < SMALLEST_FILTER:
        raise InputError(
            f"the first filters are {rows} x {columns} pixels: first_layer_filters needs square ones of at least "
            f"{SMALLEST_FILTER}, set filter_size of the network"
        )
    return convolution.weight


def measure_first_layer_filters(given: Given) -> Measured:
    """Fit a Gabor function to every filter of a training's first convolution, and to mixtures of the trained ones.

    Returns:
        Rows of the table ``first_layer_filters``, their state ``init``, ``trained`` or ``mixture``, see :func:`mix`;
        ``filter_size`` is k, as the filters have it. For each state the pictures ``<state>/filters``, ``<state>/fits`` and
        ``<state>/spectra``, each ``(F, k, k)`` float32, see :func:`power_spectra`.

    Raises:
        InputError: no convolution, or filters too small.
    """
    components, columns = {}, {}
    for state, network, metadata in networks_by_state(given.checkpoints, given.device):
        components[state] = leading_component(first_layer(network))
        columns = describe(state, metadata) | {"train_size": metadata["split"]["train_size"]}
    filters, shares = components["trained"]
    components["mixture"] = mix(filters, generator_for("mixtures", columns["seed"])), torch.ones_like(shares)
    rows, pictures = [], {}
    for state, (filters, shares) in components.items():
        fits = fit_gabor(filters)
        drawn = np.stack([gabor(fit, filters.shape[-1]) for fit in fits])
        identity = columns | {"state": state, "filter_size": filters.shape[-1]}
        rows += [identity | row for row in _filter_rows(filters, shares, fits, drawn)]
        pictures |= {
            f"{state}/filters": filters.float(),
            f"{state}/fits": torch.from_numpy(drawn).float(),
            f"{state}/spectra": power_spectra(filters).float(),
        }
    return Measured(rows, pictures=pictures)


def _filter_rows(filters: Tensor, shares: Tensor, fits: list[Gabor], drawn: np.ndarray) -> list[dict]:
    """One row per filter, from the filters ``(F, k, k)``, their spatial shares ``(F,)`` and the fits with their pictures."""
    return [
        {
            "channel": channel,
            "gabor_r2": r_squared(filter_, picture),
            "bandwidth": fit.bandwidth,
            **asdict(fit),
            "spatial_share": share,
        }
        for channel, (filter_, share, fit, picture) in enumerate(
            zip(filters.numpy(), shares.tolist(), fits, drawn, strict=True)
        )
    ]
