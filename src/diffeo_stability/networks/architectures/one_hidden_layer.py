"""Networks of one hidden layer, convolutional or locally connected: the November 2021 deck's simplest nets with space."""

import math

import torch
from torch import Tensor, nn

from ..catalogue import declare_family, register
from ..naming import check_filter_size, scaled, sequential

HIDDEN_CHANNELS = 64
POOLED = 4  # pixels along a side of what max-pooling takes the largest of

declare_family("one_hidden_layer", "one hidden layer", color="sand", kinds=("one_hidden_layer", "simple"))


class LocallyConnected2d(nn.Module):
    """Filters without weight sharing, on patches that do not overlap: each patch of an image is seen by filters of its own.

    The weight has shape ``(out channels, in channels, k, k, rows, columns)``. Zeros around the image fill the outer patches.
    """

    def __init__(self, in_channels: int, out_channels: int, filter_size: int, image_size: int):
        super().__init__()
        places = math.ceil(image_size / filter_size)
        missing = places * filter_size - image_size
        self._margin = missing // 2, missing - missing // 2
        shape = (out_channels, in_channels, filter_size, filter_size, places, places)
        bound = 1 / math.sqrt(in_channels * filter_size**2)  # as torch draws a convolution's
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels, places, places).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        size, places = self.weight.shape[2], self.weight.shape[-1]
        patches = nn.functional.pad(x, (*self._margin, *self._margin)).unflatten(3, (places, size))
        patches = patches.unflatten(2, (places, size))
        # One matrix product per place, batched over places
        return torch.einsum("bcryxk,ocykrx->borx", patches, self.weight) + self.bias


@register(
    "one_hidden_layer_cnn", "1-layer CNN", "one hidden layer", kinds=("convolutional", "sequence"), averaged=False
)
@register("one_hidden_layer_gap", "1-layer GAP", "one hidden layer", kinds=("convolutional", "sequence"), averaged=True)
def one_hidden_layer_cnn(
    in_channels: int, image_size: int, classes: int, width: float = 1.0, filter_size: int = 5, *, averaged: bool
) -> nn.Sequential:
    """A convolution of 64 ``width`` channels, ReLU, pooling over space, and a linear read-out of all channels at all places.

    Args:
        averaged: over all places, so that the read-out has none to tell apart; else max-pooling by 4.
    """
    check_filter_size(filter_size, image_size)
    channels = scaled(HIDDEN_CHANNELS, width)
    places = 1 if averaged else math.ceil(image_size / POOLED)
    return sequential(
        nn.Conv2d(in_channels, channels, filter_size, padding=filter_size // 2),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1) if averaged else nn.MaxPool2d(POOLED, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(channels * places**2, classes),
    )


@register("one_hidden_layer_lcn", "1-layer LCN", "one hidden layer")
def one_hidden_layer_lcn(
    in_channels: int, image_size: int, classes: int, width: float = 1.0, filter_size: int = 5
) -> nn.Sequential:
    """64 ``width`` filters for each patch of the image, which do not overlap, ReLU, and a linear read-out of them all."""
    check_filter_size(filter_size, image_size)
    channels = scaled(HIDDEN_CHANNELS, width)
    layer = LocallyConnected2d(in_channels, channels, filter_size, image_size)
    return sequential(layer, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(layer.bias.numel(), classes))
