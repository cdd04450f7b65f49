"""Any network of timm or torchvision, by its name there."""

import difflib
import importlib

from torch import nn

from ..errors import InputError

LIBRARIES = ("timm", "torchvision")


def external_network(library: str, name: str, in_channels: int, classes: int) -> nn.Module:
    """Build ``library:name`` untrained, with the library's own definition.

    Raises:
        InputError: the library is not installed or does not know the name; or a torchvision network is asked for images
            without three channels, the only ones that torchvision builds for.
    """
    try:
        module = importlib.import_module("timm" if library == "timm" else "torchvision.models")
    except ImportError:
        raise InputError(
            f"network {library}:{name} needs {library}, which is not installed: pip install {library}"
        ) from None
    known = module.list_models()
    if name not in known:
        near = ", ".join(difflib.get_close_matches(name, known, n=5)) or "nothing of a similar name"
        raise InputError(f"network {library}:{name} is not known to {library}; it has {near}")
    if library == "timm":
        return module.create_model(name, num_classes=classes, in_chans=in_channels)
    if in_channels != 3:
        raise InputError(f"network {library}:{name} takes images of 3 channels, these have {in_channels}")
    return module.get_model(name, weights=None, num_classes=classes)
