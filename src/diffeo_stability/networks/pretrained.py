"""What timm and torchvision have of their networks: weights, and what images these expect."""

from pathlib import Path
from typing import NamedTuple

from torch import hub, nn

from ..core.errors import InputError, one_line
from ..data.normalisation import normalisation_of
from .catalogue import LIBRARIES
from .external import library_of
from .weights import fetch_weights, most_bytes


class Expectation(NamedTuple):
    """What a library says of its weights for a network.

    Attributes:
        image_size: pixels along a side of the (square) images.
        classes: outputs.
        mean, std: per channel, pixels scaled to 0..1.
    """

    image_size: int
    classes: int
    mean: list[float]
    std: list[float]


def is_of_library(network: str) -> bool:
    """Whether a network's name is ``timm:<name>`` or ``torchvision:<name>``."""
    return network.partition(":")[0] in LIBRARIES


def expectation_of(network: str) -> Expectation | None:
    """Return what a library says of its weights for a network; nothing if it has none.

    Args:
        network: ``timm:<name>`` or ``torchvision:<name>``.

    Raises:
        InputError: the library is not installed or does not know the name.
    """
    library, _, name = network.partition(":")
    library_of(library, name)
    sizes = {"timm": _sizes_of_timm, "torchvision": _sizes_of_torchvision}[library](name)
    return None if sizes is None else Expectation(*sizes, *normalisation_of(network))


def _sizes_of_timm(name: str) -> tuple[int, int] | None:
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name)
    return None if config is None else (config.input_size[-1], config.num_classes)


def _sizes_of_torchvision(name: str) -> tuple[int, int] | None:
    from torchvision.models import get_model_weights

    known = get_model_weights(name)
    if not known.__members__:
        return None
    transforms = known.DEFAULT.transforms()
    # Only classifiers crop their images to one size
    return (
        (transforms.crop_size[0], len(known.DEFAULT.meta["categories"])) if hasattr(transforms, "crop_size") else None
    )


def pretrained_network(network: str) -> nn.Module:
    """Build ``timm:<name>`` or ``torchvision:<name>`` with the library's own weights, which it downloads or has kept.

    Raises:
        InputError: the library is not installed or does not know the name, or the weights cannot be had.
    """
    library, _, name = network.partition(":")
    module = library_of(library, name)
    try:
        if library == "timm":
            return module.create_model(name, pretrained=True)
        weights = module.get_model_weights(name).DEFAULT
        kept = Path(hub.get_dir(), "checkpoints")
        if not (kept / weights.url.rpartition("/")[2]).exists():
            # Where torchvision looks for them, so that it downloads nothing itself, which would have no limits
            fetch_weights(weights.url, kept, most_bytes(weights))
        return module.get_model(name, weights=weights)
    except Exception as error:  # what they download with has errors of its own
        raise InputError(
            f"the weights of {network} cannot be had from {library} ({one_line(error)}): try again, give a file of them, or "
            "measure it untrained"
        ) from None
