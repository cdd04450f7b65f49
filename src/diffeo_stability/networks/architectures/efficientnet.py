"""EfficientNet-B0 (Tan and Le, arXiv:1905.11946) in its small-image form: a stem of stride 1."""

import torch
from torch import Tensor, nn

from ...core.operations import Add
from ..catalogue import declare_family, register
from ..naming import sequential

# expansion, kernel size, stride, channels, depth (table 1 of the paper)
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
DROPOUT = 0.2
DROPPED_BLOCKS = 0.2

declare_family("efficientnet", "EfficientNet", color="olive", kinds=("convolutional", "deep"))


def _multiple_of_8(channels: float) -> int:
    """The nearest multiple of 8 that is not below 90% of the channels, as in the paper's code."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


class DropBlock(nn.Dropout):
    """Stochastic depth (arXiv:1603.09382): in training, drops a block's output for some images; see ``nn.Dropout``."""

    def forward(self, x: Tensor) -> Tensor:
        keep = torch.ones(len(x), 1, 1, 1, dtype=x.dtype, device=x.device)
        return x * super().forward(keep) if self.training else x


class SqueezeExcitation(nn.Module):
    """Scales each channel by a number between 0 and 1, computed from the means of all channels (arXiv:1709.01507)."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.gate = sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.SiLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class InvertedBottleneck(nn.Module):
    """Expand, filter each channel, squeeze and excite, project; added to its input where the shapes agree."""

    def __init__(self, in_channels: int, channels: int, expansion: int, kernel: int, stride: int, drop: float):
        super().__init__()
        inner = _multiple_of_8(in_channels * expansion)
        operations: list[nn.Module] = []
        if inner != in_channels:
            operations += convolution(in_channels, inner, 1)
        operations += convolution(inner, inner, kernel, stride=stride, groups=inner)
        operations.append(SqueezeExcitation(inner, max(1, in_channels // 4)))
        operations += convolution(inner, channels, 1)[:-1]
        self.residual = sequential(*operations)
        self.skips = stride == 1 and in_channels == channels
        if self.skips:
            self.drop = DropBlock(drop)
            self.add = Add()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.residual(x)
        return self.add(self.drop(residual), x) if self.skips else residual


def convolution(in_channels: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A padded convolution with batch-norm and SiLU."""
    padding = kernel // 2
    return [
        nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=padding, groups=groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.SiLU(inplace=True),
    ]


@register("efficientnet_b0", "EfficientNet-B0", "EfficientNet")
def efficientnet_b0(in_channels: int, image_size: int, classes: int, width: float = 1.0) -> nn.Sequential:
    """Sixteen inverted bottlenecks between two convolutions, the mean over space and a linear read-out.

    Channels times ``width`` are rounded to multiples of 8.
    """
    channels = _multiple_of_8(STEM_CHANNELS * width)
    network = sequential(*convolution(in_channels, channels, 3))
    blocks = sum(depth for *_, depth in STAGES)
    block = 0
    for expansion, kernel, stride, base, depth in STAGES:
        for index in range(depth):
            previous, channels = channels, _multiple_of_8(base * width)
            network.add_module(
                f"block{block + 1}",
                InvertedBottleneck(
                    previous, channels, expansion, kernel, stride if index == 0 else 1, DROPPED_BLOCKS * block / blocks
                ),
            )
            block += 1
    head = _multiple_of_8(HEAD_CHANNELS * width)
    for name, operation in zip(("conv2", "batchnorm2", "silu2"), convolution(channels, head, 1), strict=True):
        network.add_module(name, operation)
    readout = sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(head, classes))
    for name, module in readout.named_children():
        network.add_module(name, module)
    return network
