"""Networks of one hidden layer, convolutional or locally connected: the November 2021 deck's simplest nets with space."""

import math

import torch
from torch import Tensor, nn

from ..catalogue import declare_family, register
from ..naming import check_filter_size, scaled, sequential

HIDDEN_CHANNELS = 64

declare_family("one_hidden_layer", "one hidden layer", color="sand", kinds=("one_hidden_layer", "simple"))


class LocallyConnected2d(nn.Module):
    """A convolution without weight sharing: each place of the output has filters of its own.

    The weight has shape ``(out channels, in channels, k, k, rows, columns)``; padding keeps the image's size.
    """

    def __init__(self, in_channels: int, out_channels: int, filter_size: int, image_size: int):
        super().__init__()
        fan_in = in_channels * filter_size**2
        shape = (out_channels, in_channels, filter_size, filter_size, image_size, image_size)
        bound = 1 / math.sqrt(fan_in)  # as torch draws a convolution's
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels, image_size, image_size).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        out, _, size, _, rows, columns = self.weight.shape
        # With the batch last, the copy into patches moves B neighbouring numbers at a time
        margin = size // 2
        images = nn.functional.pad(x, (margin, margin, margin, margin)).permute(1, 2, 3, 0).contiguous()
        patches = images.unfold(1, size, 1).unfold(2, size, 1).permute(1, 2, 0, 4, 5, 3)
        # One matrix product per place, batched over places: (places, out, fan in) x (places, fan in, B)
        weight = self.weight.reshape(out, -1, rows * columns).permute(2, 0, 1)
        product = torch.bmm(weight, patches.reshape(rows * columns, weight.shape[2], len(x)))
        return product.permute(2, 1, 0).unflatten(2, (rows, columns)) + self.bias


@register("one_hidden_layer_cnn", "1-layer CNN", "one hidden layer", kinds=("convolutional", "sequence"), shared=True)
@register("one_hidden_layer_lcn", "1-layer LCN", "one hidden layer", shared=False)
def one_hidden_layer(
    in_channels: int, image_size: int, classes: int, width: float = 1.0, filter_size: int = 5, *, shared: bool
) -> nn.Sequential:
    """One layer of 64 ``width`` channels, shared over places (a convolution) or not, ReLU, and a linear read-out."""
    check_filter_size(filter_size, image_size)
    channels = scaled(HIDDEN_CHANNELS, width)
    layer = (
        nn.Conv2d(in_channels, channels, filter_size, padding=filter_size // 2)
        if shared
        else LocallyConnected2d(in_channels, channels, filter_size, image_size)
    )
    return sequential(layer, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(channels * image_size**2, classes))
