"""How images were normalised for networks that libraries have weights for."""

from ..core.errors import InputError


def normalisation_of(network: str) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation per channel, pixels scaled to 0..1, for the weights that a library has for a network.

    Args:
        network: ``timm:<name>``, from timm's configuration of its pretrained weights; or ``torchvision:<name>``, from the
            transforms of torchvision's default weights.

    Raises:
        InputError: the library is not installed, or has no weights for the network.
    """
    library, _, name = network.partition(":")
    try:
        mean, std = {"timm": _of_timm, "torchvision": _of_torchvision}[library](name)
    except ImportError:
        raise InputError(
            f"dataset.normalisation {network} needs {library}, which is not installed: pip install {library}"
        ) from None
    except ValueError:
        raise InputError(
            f"dataset.normalisation {network}: {library} has no weights for {name}: give mean and std in numbers"
        ) from None
    return [float(value) for value in mean], [float(value) for value in std]


def _of_timm(name: str):
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name)
    if config is None:
        raise ValueError(name)
    return config.mean, config.std


def _of_torchvision(name: str):
    from torchvision.models import get_model_weights

    transforms = get_model_weights(name).DEFAULT.transforms()
    return transforms.mean, transforms.std
