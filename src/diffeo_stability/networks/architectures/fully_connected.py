"""Fully connected networks: the simplest nets, with no notion of space."""

import itertools

from torch import nn

from ..catalogue import declare_family, register
from ..naming import scaled, sequential

HIDDEN_UNITS = 512

declare_family("fully_connected", "fully connected", color="rose", kinds=("fully_connected", "simple"))


@register("fully_connected_2", "FC 2 layers", "fully connected", layers=2)
@register("fully_connected_4", "FC 4 layers", "fully connected", layers=4)
@register("fully_connected_6", "FC 6 layers", "fully connected", layers=6)
def fully_connected(
    in_channels: int, image_size: int, classes: int, width: float = 1.0, *, layers: int
) -> nn.Sequential:
    """Return a net of ``layers`` linear maps, the read-out included, with ReLU and 512 ``width`` units between them."""
    units = scaled(HIDDEN_UNITS, width)
    sizes = [in_channels * image_size**2] + [units] * (layers - 1)
    hidden = [op for n_in, n_out in itertools.pairwise(sizes) for op in (nn.Linear(n_in, n_out), nn.ReLU())]
    return sequential(nn.Flatten(), *hidden, nn.Linear(sizes[-1], classes))
