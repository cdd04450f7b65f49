"""Networks whose convolutions read their input channels in another order, and what statistics their batch-norm then has."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from ..core.set_statistics import batch_norms
from ..data.datasets import Splits
from ..networks.batch_norm import estimate_batch_norm


def convolutions_of(network: nn.Module) -> dict[str, nn.Conv2d]:
    """Return the convolutions of a network by name."""
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}


def random_permutations(network: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw an order of the input channels of every convolution, by its name: ``(in_channels,)`` each.

    Channels of a grouped convolution stay in their group, which alone reads them: a depthwise one keeps its order.
    """

    def draw(channels: int, groups: int) -> Tensor:
        size = channels // groups
        return torch.cat([start + torch.randperm(size, generator=generator) for start in range(0, channels, size)])

    return {name: draw(layer.in_channels, layer.groups) for name, layer in convolutions_of(network).items()}


@torch.no_grad()
def permute_input_channels(network: nn.Module, permutations: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy of a network whose convolutions read their input channels in another order.

    Input channel ``c`` meets the filters that were made for channel ``permutation[c]``: the weights become
    ``weight[:, permutation]``. To permute the input channels themselves by the inverse permutation would give the same.

    Args:
        permutations: by the convolution's name, ``(in_channels,)``; convolutions that are not named stay as they are.

    Raises:
        InputError: a name that is no convolution, or not every input channel once and within its group.
    """
    permuted = copy.deepcopy(network)
    convolutions = convolutions_of(permuted)
    for name, permutation in permutations.items():
        if name not in convolutions:
            raise InputError(f"{name!r} is no convolution of the network; it has {', '.join(convolutions) or 'none'}")
        convolution = convolutions[name]
        channels = torch.arange(convolution.in_channels).view(convolution.groups, -1)
        if permutation.numel() != channels.numel() or not torch.equal(
            permutation.view_as(channels).sort(dim=1).values, channels
        ):
            raise InputError(
                f"the permutation of {name} must hold its {convolution.in_channels} input channels once each, those of "
                f"each of its {convolution.groups} groups in that group's places"
            )
        orders = permutation.view_as(channels) - channels[:, :1]
        groups = convolution.weight.chunk(convolution.groups)
        convolution.weight.copy_(torch.cat([group[:, order] for group, order in zip(groups, orders, strict=True)]))
    return permuted


def batch_norm_choices(network: nn.Module) -> tuple[str, ...]:
    """Return which statistics its batch-norm can be measured with: ``kept`` and ``re-estimated``, or ``none`` without one."""
    return ("kept", "re-estimated") if batch_norms(network) else ("none",)


def with_statistics(network: nn.Module, batch_norm: str, splits: Splits) -> nn.Module:
    """Return a network with the statistics of a choice: a copy where they are estimated again from the training images."""
    if batch_norm != "re-estimated":
        return network
    estimated = copy.deepcopy(network)
    estimate_batch_norm(estimated, splits)
    return estimated
