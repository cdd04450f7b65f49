"""LeNet (LeCun et al., Proc. IEEE 86, 1998), with ReLU and max-pooling as in arXiv:2105.02468."""

from torch import nn

from ...core.errors import InputError
from ..catalogue import declare_family, register
from ..naming import scaled, sequential

declare_family("lenet", "LeNet", color="wine", kinds=("convolutional", "sequence", "simple"))


@register("lenet", "LeNet", "LeNet")
def lenet(in_channels: int, image_size: int, classes: int, width: float = 1.0) -> nn.Sequential:
    """Two 5x5 convolutions without padding, each pooled by 2, and three linear maps."""
    grid = ((image_size - 4) // 2 - 4) // 2
    if grid < 1:
        raise InputError(f"image_size is {image_size}: lenet needs at least 16 pixels")
    first, second, third, fourth = (scaled(channels, width) for channels in (6, 16, 120, 84))
    return sequential(
        nn.Conv2d(in_channels, first, 5),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 5),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * grid**2, third),
        nn.ReLU(inplace=True),
        nn.Linear(third, fourth),
        nn.ReLU(inplace=True),
        nn.Linear(fourth, classes),
    )
