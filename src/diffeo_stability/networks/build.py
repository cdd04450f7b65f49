"""Networks by name, in their small-image form, each with a width multiplier and readable operation names."""

from importlib import import_module

from torch import nn

from ..core.checks import check_not_negative, check_whole
from ..core.errors import InputError, lacks_memory
from ..core.models import returning_logits
from .catalogue import LIBRARIES, networks
from .external import external_network, own_network

LARGEST_SIZE = 2**24  # of channels, pixels along a side and classes
LARGEST_WIDTH = 1024


def build_network(
    name: str, in_channels: int, image_size: int, classes: int, *, width: float = 1.0, filter_size: int | None = None
) -> nn.Module:
    """Build an untrained network.

    Its weights are drawn from torch's default generator, by its modules' own rules but for VGGs of 16 and 19 layers.

    Args:
        name: one that :mod:`diffeo_stability.networks.catalogue` lists; ``timm:<name>`` or ``torchvision:<name>`` for any
            network of those libraries; or ``package.module:function`` for a function that takes the keywords
            ``in_channels``, ``image_size`` and ``classes``.
        in_channels: channels of the images.
        image_size: pixels along a side of the (square) images.
        classes: outputs.
        width: multiplies the number of channels or hidden units.
        filter_size: pixels along a side of the first filters, for VGGs (3 if not given) and networks of one hidden layer (5).

    Returns:
        A module from ``(B, in_channels, image_size, image_size)`` to logits ``(B, classes)``. Of networks that return more, of a
        library or one's own, these are what is called ``logits``, or else the only tensor.

    Raises:
        InputError: an unknown name, or an argument out of its range or that the network does not take.
    """
    if not isinstance(name, str):
        raise InputError(f"name is of type {type(name).__name__}: it must be the name of a network")
    for label, value in {"in_channels": in_channels, "image_size": image_size, "classes": classes}.items():
        check_whole(label, value, 1, LARGEST_SIZE)
    check_not_negative("width", width)
    if not 0 < width <= LARGEST_WIDTH:
        raise InputError(f"width is {width}: it must be above 0, and at most {LARGEST_WIDTH}")
    library, _, library_name = name.partition(":")
    if library_name:
        if width != 1.0 or filter_size is not None:
            raise InputError(f"network {name} takes neither width nor filter_size: it is built as {library} defines it")
        if library in LIBRARIES:
            return returning_logits(external_network(library, library_name, in_channels, classes))
        return returning_logits(own_network(name, in_channels, image_size, classes))
    known = networks()
    if name not in known:
        raise InputError(
            f"network {name!r} is not known; there are {', '.join(known)}, timm:<name>, torchvision:<name>, and your own as "
            "<package.module>:<function>"
        )
    network = known[name]
    options = network.options if filter_size is None else {**network.options, "filter_size": filter_size}
    if filter_size is not None and "filter_size" not in network.takes:
        raise InputError(f"network {name!r} takes no filter_size; VGG and the one_hidden_layer networks do")
    function = getattr(import_module(f".architectures.{network.module}", __package__), network.function)
    try:
        return function(in_channels, image_size, classes, width=width, **options)
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise InputError(
            f"network {name!r} of these sizes does not fit into memory: lower width, or the sizes"
        ) from None
