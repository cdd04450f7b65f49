"""Networks by name, in their small-image form, each with a width multiplier and readable operation names."""

import inspect
import math
from functools import partial

from torch import nn

from ..config import LIBRARIES
from ..errors import InputError
from .alexnet import alexnet
from .efficientnet import efficientnet_b0
from .external import external_network, own_network
from .fully_connected import fully_connected
from .lenet import lenet
from .one_hidden_layer import one_hidden_layer
from .resnet import STAGE_DEPTHS as RESNETS
from .resnet import resnet
from .vgg import STAGE_DEPTHS as VGGS
from .vgg import vgg

NETWORKS = {
    **{f"fully_connected_{layers}": partial(fully_connected, layers) for layers in (2, 4, 6)},
    "lenet": lenet,
    "alexnet": alexnet,
    **{f"vgg{layers}": partial(vgg, layers, False) for layers in VGGS},
    **{f"vgg{layers}_bn": partial(vgg, layers, True) for layers in VGGS},
    **{f"resnet{layers}": partial(resnet, layers) for layers in RESNETS},
    "efficientnet_b0": efficientnet_b0,
    "one_hidden_layer_cnn": partial(one_hidden_layer, True),
    "one_hidden_layer_lcn": partial(one_hidden_layer, False),
}


def build_network(
    name: str, in_channels: int, image_size: int, classes: int, *, width: float = 1.0, filter_size: int | None = None
) -> nn.Module:
    """Build an untrained network, its weights drawn from torch's default generator, as its modules do (but see :func:`vgg`).

    Args:
        name: one of ``NETWORKS``; ``timm:<name>`` or ``torchvision:<name>`` for any network of those libraries; or
            ``package.module:function`` for a function that takes the keywords ``in_channels``, ``image_size`` and ``classes``.
        in_channels: channels of the images.
        image_size: pixels along a side of the (square) images.
        classes: outputs.
        width: multiplies the number of channels or hidden units.
        filter_size: pixels along a side of the first filters, for VGGs (3 if not given) and networks of one hidden layer (5).

    Returns:
        A module from ``(B, in_channels, image_size, image_size)`` to logits ``(B, classes)``.

    Raises:
        InputError: an unknown name, or an argument out of its range or that the network does not take.
    """
    for label, value in (("in_channels", in_channels), ("image_size", image_size), ("classes", classes)):
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{label} is {value!r}: it must be a whole number of at least 1")
    if not 0 < width < math.inf:
        raise InputError(f"width is {width}: it must be positive and finite")
    library, _, library_name = name.partition(":")
    if library_name:
        if width != 1.0 or filter_size is not None:
            raise InputError(f"network {name} takes neither width nor filter_size: it is built as {library} defines it")
        if library in LIBRARIES:
            return external_network(library, library_name, in_channels, classes)
        return own_network(name, in_channels, image_size, classes)
    if name not in NETWORKS:
        raise InputError(
            f"network {name!r} is not known; there are {', '.join(NETWORKS)}, timm:<name>, torchvision:<name>, and your own as "
            "<package.module>:<function>"
        )
    options = {} if filter_size is None else {"filter_size": filter_size}
    if options and "filter_size" not in inspect.signature(NETWORKS[name]).parameters:
        raise InputError(f"network {name!r} takes no filter_size; VGG and the one_hidden_layer networks do")
    return NETWORKS[name](in_channels, image_size, classes, width=width, **options)
