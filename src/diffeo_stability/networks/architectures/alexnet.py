"""AlexNet (Krizhevsky et al., NeurIPS 2012) in the small-image form of arXiv:2105.02468."""

from torch import nn

from ..catalogue import declare_family, register
from ..naming import scaled, sequential
from ..padding import SMALLEST_SIZE, pad_to_smallest

DROPOUT = 0.5

declare_family("alexnet", "AlexNet", color="teal", kinds=("convolutional", "deep", "sequence"))


@register("alexnet", "AlexNet", "AlexNet")
def alexnet(in_channels: int, image_size: int, classes: int, width: float = 1.0) -> nn.Sequential:
    """Five 3x3 convolutions, the first of stride 2, three of them pooled by 2, and three linear maps with dropout.

    Images below 32 pixels are padded to 32; larger ones are averaged to the 2x2 grid that 32 pixels give.
    """
    c1, c2, c3, c4, hidden = (scaled(channels, width) for channels in (64, 192, 384, 256, 4096))
    return sequential(
        *pad_to_smallest(image_size),
        nn.Conv2d(in_channels, c1, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(c1, c2, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(c2, c3, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(c3, c4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(c4, c4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        *([nn.AdaptiveAvgPool2d(2)] if image_size > SMALLEST_SIZE else []),
        nn.Flatten(),
        nn.Dropout(DROPOUT),
        nn.Linear(c4 * 4, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(DROPOUT),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, classes),
    )
