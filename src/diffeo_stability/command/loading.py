"""The network and the images that ``diffeo-stability measure`` is given."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..core.checks import check_whole
from ..core.errors import InputError, lacks_memory, one_line, where
from ..core.models import device_of, dtype_of
from ..core.operations import evaluating
from ..core.seeds import build_seeded
from ..data.folders import load_images, scales
from ..networks.build import LARGEST_SIZE, build_network
from ..networks.catalogue import networks
from ..networks.own import building_own
from ..networks.pretrained import expectation_of, is_of_library, pretrained_network
from ..networks.weights import load_weights, read_weights


class Expected(NamedTuple):
    """What a network expects of images.

    Attributes:
        image_size: pixels along a side.
        mean, std: by which they are normalised, one number or one per channel, pixels scaled to 0..1.
        classes: outputs of the network; nothing if that is not known.
    """

    image_size: int
    mean: Sequence[float]
    std: Sequence[float]
    classes: int | None


def find_device(name: str | None) -> torch.device:
    """Return a device by name, or else a GPU where there is one, and have torch compute exactly on it.

    Raises:
        InputError: it is not there.
    """
    torch.backends.cudnn.allow_tf32 = False  # ten bits of mantissa would blur small differences of outputs
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    device = _device(("cuda" if found else "cpu") if name is None else name)
    if device is None or device.type not in ("cpu", "cuda"):
        raise InputError(f"device is {name!r}: it must be cpu, cuda or cuda:<index>")
    if device.type == "cuda" and (device.index or 0) >= found:
        raise InputError(f"device is {name}, but torch finds {found} GPUs here: leave --device out, or set it to cpu")
    return device


def _device(name: str) -> torch.device | None:
    """A device of torch by name; nothing if torch knows none."""
    try:
        return torch.device(name)
    except RuntimeError:
        return None


def expected_by(
    network: str,
    size: int | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    classes: int | None,
) -> Expected:
    """Return what a network expects: as the command line says, and by its library where that does not.

    Raises:
        InputError: neither says it, or a size or number of classes is no positive one.
    """
    for option, value in {"--size": size, "--classes": classes}.items():
        if value is not None:
            check_whole(option, value, 1, LARGEST_SIZE)
    known = expectation_of(network) if is_of_library(network) else None
    if known is not None:
        said = (size, mean, std, classes)
        by_library = (known.image_size, known.mean, known.std, known.classes)
        size, mean, std, classes = (b if a is None else a for a, b in zip(said, by_library, strict=True))
    missing = [name for name, value in {"--size": size, "--mean": mean, "--std": std}.items() if value is None]
    if missing:
        raise InputError(
            f"what images {network} expects is not known: add {', '.join(missing)} "
            "(--mean 0 --std 1 for pixels from 0 to 1)"
        )
    return Expected(size, mean, std, classes)


def read_images(path: Path, expected: Expected) -> Tensor:
    """Return images as a network expects them, ``(N, C, n, n)``; grey ones get as many equal channels as there are means.

    Raises:
        InputError: what :func:`load_images` refuses, or a ``mean`` or ``std`` that does not fit the channels.
    """
    pixels = load_images(path, expected.image_size)
    channels = max(len(expected.mean), len(expected.std))
    if channels > 1 and pixels.shape[1] == 1:
        pixels = pixels.expand(-1, channels, -1, -1)
    mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in (expected.mean, expected.std))
    if {len(mean), len(std)} - {1, pixels.shape[1]} or not scales(mean, std):
        raise InputError(
            f"--mean and --std must be one finite number or {pixels.shape[1]}, one per channel, and --std positive: "
            f"{expected.mean}, {expected.std}"
        )
    return (pixels - mean) / std


def load_network(
    name: str, channels: int, expected: Expected, *, weights: str | None, untrained: bool, seed: int
) -> nn.Module:
    """Return a network by name: with weights from a file, untrained, or with those that it comes with.

    Args:
        channels: of the images.
        weights: as :func:`read_weights` takes it; nothing for none.
        seed: of random weights.

    Raises:
        InputError: an unknown network, weights that cannot be had or do not fit, or a number of outputs that is not known.
    """
    own_weights = weights is None and not untrained
    if own_weights and is_of_library(name):
        _check_classes(name, expected.classes)
        return pretrained_network(name)
    if own_weights and name in networks():
        raise InputError(f"network {name} comes without weights: add --weights FILE, or --untrained")
    if expected.classes is None:
        raise InputError(f"how many outputs network {name} has is not known: add --classes")
    sizes = (channels, expected.image_size, expected.classes)
    with building_own(name):
        network = build_seeded(lambda: build_network(name, *sizes), seed)
    if weights is not None:
        _give_weights(network, read_weights(weights, name, Path(torch.hub.get_dir(), "checkpoints")))
    return network


def _check_classes(name: str, classes: int | None) -> None:
    known = expectation_of(name)
    if known is not None and classes != known.classes:
        raise InputError(
            f"--classes is {classes}, but the weights of {name} have {known.classes} outputs: leave it out, give a file of "
            "weights that have so many, or measure it untrained"
        )


def _give_weights(network: nn.Module, weights: dict[str, Tensor]) -> None:
    try:
        load_weights(network, weights)
    except InputError as error:
        raise InputError(f"{error} (if it is the number of outputs, say it by --classes)") from None


def check_takes(network: nn.Module, name: str, images: Tensor) -> None:
    """Raise :class:`InputError` unless a network takes images ``(N, C, n, n)`` of this size and so many channels.

    What says that there is not enough memory is raised as it is.
    """
    try:
        with evaluating(network), torch.no_grad():
            network(images[:2].to(device_of(network), dtype_of(network)))
    except InputError as error:
        raise InputError(f"network {name}: {error}") from None
    except Exception as error:  # every network complains in its own way
        if lacks_memory(error):
            raise
        _, channels, size, _ = images.shape
        raise InputError(
            f"network {name} does not take images of {size} x {size} pixels and {channels} channels "
            f"({type(error).__name__}{where(error)}: {one_line(error)})"
        ) from None
