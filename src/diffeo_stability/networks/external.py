"""Any network of timm or torchvision, by its name there, and networks of the user's own, by the function that builds them."""

import difflib
import importlib
import inspect
from collections.abc import Callable
from types import ModuleType

import torch
from torch import nn

from ..core.errors import InputError, lacks_memory, one_line
from ..core.models import initialise_lazy_layers


def library_of(library: str, name: str) -> ModuleType:
    """Return the module of a library that builds its network of a name; a name of timm may end in the tag of its weights.

    Raises:
        InputError: the library is not installed or does not know the name.
    """
    try:
        module = importlib.import_module("timm" if library == "timm" else "torchvision.models")
    except ImportError:
        raise InputError(
            f"network {library}:{name} needs {library}, which is not installed: pip install {library}"
        ) from None
    known = module.list_models(include_tags=True) if library == "timm" and "." in name else module.list_models()
    if name not in known:
        near = ", ".join(difflib.get_close_matches(name, known, n=5)) or "nothing of a similar name"
        raise InputError(f"network {library}:{name} is not known to {library}; it has {near}")
    return module


def external_network(library: str, name: str, in_channels: int, classes: int) -> nn.Module:
    """Build ``library:name`` untrained, with the library's own definition.

    Raises:
        InputError: the library is not installed or does not know the name; or a torchvision network is asked for images
            without three channels, the only ones that torchvision builds for.
    """
    module = library_of(library, name)
    if library == "timm":
        return module.create_model(name, num_classes=classes, in_chans=in_channels)
    if in_channels != 3:
        raise InputError(f"network {library}:{name} takes images of 3 channels, these have {in_channels}")
    return module.get_model(name, weights=None, num_classes=classes)


def own_network(name: str, in_channels: int, image_size: int, classes: int) -> nn.Module:
    """Build a network of the user's own, ``package.module:function``.

    The function is called with the keywords ``in_channels``, ``image_size`` and ``classes``, and with nothing else. Lazy layers
    get their sizes from a first pass.

    Raises:
        InputError: there is no such function, it takes other arguments, or returns something else than a module.
    """
    function, function_name = _own_function(name), name.partition(":")[2]
    sizes = {"in_channels": in_channels, "image_size": image_size, "classes": classes}
    try:
        inspect.signature(function).bind(**sizes)
    except (TypeError, ValueError):
        raise InputError(
            f"network {name}: {function_name} must take the keywords {', '.join(sizes)}, and need no other"
        ) from None
    network = function(**sizes)
    if not isinstance(network, nn.Module):
        raise InputError(f"network {name}: {function_name} returned {type(network).__name__}, not a torch module")
    try:
        initialise_lazy_layers(network, torch.zeros(1, in_channels, image_size, image_size))
    except Exception as error:  # every network complains in its own way
        if lacks_memory(error):
            raise
        raise InputError(
            f"network {name} does not take images of {image_size} x {image_size} pixels and {in_channels} channels "
            f"({one_line(error)})"
        ) from None
    return network


def _own_function(name: str) -> Callable:
    module_name, _, function_name = name.partition(":")
    try:
        return getattr(importlib.import_module(module_name), function_name)
    except ImportError as error:
        raise InputError(
            f"network {name}: {error}: install it, or start with PYTHONPATH=<the folder of {module_name.partition('.')[0]}>"
        ) from None
    except AttributeError:
        raise InputError(f"network {name}: {module_name} has no {function_name}") from None
