"""ResNet (He et al., arXiv:1512.03385) in its small-image form: a 3x3 stem of stride 1 and no pooling after it."""

from torch import Tensor, nn

from ...core.operations import Add
from ..catalogue import declare_family, register
from ..naming import scaled, sequential

STAGE_CHANNELS = (64, 128, 256, 512)
STAGE_DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}

declare_family("resnet", "ResNet", color="indigo", kinds=("convolutional", "deep"))


class ResidualBlock(nn.Module):
    """Convolutions with batch-norm beside a shortcut, added, then ReLU.

    Args:
        kernels: ``(channels out, kernel size, stride)`` of each convolution.
    """

    def __init__(self, in_channels: int, kernels: list[tuple[int, int, int]]):
        super().__init__()
        operations: list[nn.Module] = []
        channels, total_stride = in_channels, 1
        for out, size, stride in kernels:
            convolution = nn.Conv2d(channels, out, size, stride=stride, padding=size // 2, bias=False)
            operations += [convolution, nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
            channels, total_stride = out, total_stride * stride
        self.residual = sequential(*operations[:-1])
        self.shortcut = nn.Sequential()
        if total_stride != 1 or channels != in_channels:
            projection = nn.Conv2d(in_channels, channels, 1, stride=total_stride, bias=False)
            self.shortcut = sequential(projection, nn.BatchNorm2d(channels))
        self.add = Add()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.add(self.residual(x), self.shortcut(x)))


@register("resnet18", "ResNet18", "ResNet", layers=18)
@register("resnet34", "ResNet34", "ResNet", layers=34)
@register("resnet50", "ResNet50", "ResNet", layers=50)
def resnet(in_channels: int, image_size: int, classes: int, width: float = 1.0, *, layers: int) -> nn.Sequential:
    """A 3x3 convolution, four stages of residual blocks, the mean over space and a linear read-out.

    18 and 34 layers: blocks of two 3x3 convolutions. 50 layers: bottlenecks of 1x1, 3x3 (strided) and 1x1, four times wider.
    """
    channels = scaled(STAGE_CHANNELS[0], width)
    network = sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    )
    block = 0
    for stage, (base, depth) in enumerate(zip(STAGE_CHANNELS, STAGE_DEPTHS[layers], strict=True)):
        inner = scaled(base, width)
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            kernels = [(inner, 1, 1), (inner, 3, stride), (4 * inner, 1, 1)]
            if layers < 50:
                kernels = [(inner, 3, stride), (inner, 3, 1)]
            block += 1
            network.add_module(f"block{block}", ResidualBlock(channels, kernels))
            channels = kernels[-1][0]
    for name, module in sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)
    ).named_children():
        network.add_module(name, module)
    return network
