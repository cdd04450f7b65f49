"""VGG (Simonyan and Zisserman, arXiv:1409.1556) in its small-image form: a single linear map after the convolutions."""

from torch import nn

from ..catalogue import declare_family, register
from ..naming import check_filter_size, scaled, sequential
from ..padding import SMALLEST_SIZE, pad_to_smallest

STAGE_CHANNELS = (64, 128, 256, 512, 512)
STAGE_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}

declare_family("vgg", "VGG", color="cyan", kinds=("convolutional", "deep", "sequence", "vgg"))
declare_family(
    "vgg", "VGG, batch-norm", color="green", kinds=("convolutional", "deep", "sequence", "vgg"), ending="_bn"
)


@register("vgg11", "VGG11", "VGG", layers=11, batch_norm=False)
@register("vgg13", "VGG13", "VGG", layers=13, batch_norm=False)
@register("vgg16", "VGG16", "VGG", layers=16, batch_norm=False)
@register("vgg19", "VGG19", "VGG", layers=19, batch_norm=False)
@register("vgg11_bn", "VGG11 BN", "VGG, batch-norm", layers=11, batch_norm=True)
@register("vgg13_bn", "VGG13 BN", "VGG, batch-norm", layers=13, batch_norm=True)
@register("vgg16_bn", "VGG16 BN", "VGG, batch-norm", layers=16, batch_norm=True)
@register("vgg19_bn", "VGG19 BN", "VGG, batch-norm", layers=19, batch_norm=True)
def vgg(
    in_channels: int,
    image_size: int,
    classes: int,
    width: float = 1.0,
    filter_size: int = 3,
    *,
    layers: int,
    batch_norm: bool,
) -> nn.Sequential:
    """Five stages of 3x3 convolutions, each stage pooled by 2, and a linear read-out.

    ``filter_size`` is that of the first convolution, where larger filters can be looked at.

    Without batch-norm, 16 and more layers are drawn by He's rule (arXiv:1502.01852, section 2.2), which keeps the spread of the
    activations from layer to layer: as torch draws them, it shrinks by a factor of 2.4 in each, and they do not learn.

    Images below 32 pixels are padded to 32; what larger ones leave is averaged over space.
    """
    check_filter_size(filter_size, image_size)
    operations = pad_to_smallest(image_size)
    channels, size = in_channels, filter_size
    for base, depth in zip(STAGE_CHANNELS, STAGE_DEPTHS[layers], strict=True):
        for _ in range(depth):
            previous, channels = channels, scaled(base, width)
            operations += convolution(previous, channels, size, batch_norm)
            size = 3
        operations.append(nn.MaxPool2d(2))
    if image_size > SMALLEST_SIZE:
        operations.append(nn.AdaptiveAvgPool2d(1))
    if not batch_norm and layers >= 16:
        draw_by_hes_rule(operations)
    return sequential(*operations, nn.Flatten(), nn.Linear(channels, classes))


def convolution(in_channels: int, channels: int, size: int, batch_norm: bool) -> list[nn.Module]:
    """A padded convolution, batch-norm if wanted, and ReLU."""
    norm = [nn.BatchNorm2d(channels)] if batch_norm else []
    return [nn.Conv2d(in_channels, channels, size, padding=size // 2), *norm, nn.ReLU(inplace=True)]


def draw_by_hes_rule(operations: list[nn.Module]) -> None:
    """Draw the weights of convolutions that ReLUs follow anew, their biases 0."""
    for operation in operations:
        if isinstance(operation, nn.Conv2d):
            nn.init.kaiming_normal_(operation.weight, nonlinearity="relu")
            nn.init.zeros_(operation.bias)
