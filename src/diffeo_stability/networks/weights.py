"""Networks that are trained already: weights from a file, an installed package or torchvision, turned into checkpoints."""

import importlib.resources
import json
import pickle
import re
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..core.errors import InputError, one_line
from ..core.seeds import build_seeded
from ..data.contents import PACKAGE
from ..data.datasets import Splits
from ..data.files import atomic_path, sha256_of
from ..data.tensors import read_tensors
from .batch_norm import estimate_batch_norm
from .checkpoints import save_checkpoint
from .unwrapping import hint_of_prefix, tensors_of, what_else, without_prefix

TORCHVISION = "torchvision:"


def read_weights(source: str, architecture: str, downloads: str | Path) -> dict[str, Tensor]:
    """Return the weights of a network by name, on the CPU. Nothing but tensors is ever unpickled.

    Args:
        source: a ``.safetensors`` file, or a ``.pt`` or ``.pth`` file of a ``state_dict``; ``package:<package>/<file>`` for such
            a file inside an installed package; or ``torchvision:<name>``, e.g. ``torchvision:IMAGENET1K_V1``, which is downloaded
            and checked by its hash.
        architecture: ``torchvision:<network>``, for weights of torchvision.
        downloads: folder for what is downloaded, and for copies put there by hand.

    Raises:
        InputError: there are no such weights, or they hold something else than tensors.
    """
    if source.startswith(TORCHVISION):
        return _from_torchvision(source.removeprefix(TORCHVISION), architecture, Path(downloads))
    if source.startswith(PACKAGE):
        package, _, file = source.removeprefix(PACKAGE).partition("/")
        try:
            with importlib.resources.as_file(importlib.resources.files(package) / file) as path:
                return _from_file(path)
        except ModuleNotFoundError:
            raise InputError(f"weights {source}: the package {package} is not installed: install it") from None
    return _from_file(Path(source))


def _from_file(path: Path) -> dict[str, Tensor]:
    try:
        with path.open("rb") as file:
            other = what_else(file.read(64), path.suffix)
        if other is not None:
            raise InputError(f"weights {path} {other}")
        if path.suffix == ".safetensors":
            return read_tensors(path)[0]
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, json.JSONDecodeError, EOFError, RuntimeError) as error:
        raise InputError(f"weights {path} cannot be read ({one_line(error)}): replace them") from None
    except pickle.UnpicklingError:
        raise InputError(
            f"weights {path} hold more than tensors, which could run code: refused; save the network's state_dict() alone"
        ) from None
    return tensors_of(content, str(path))


def _from_torchvision(name: str, architecture: str, folder: Path) -> dict[str, Tensor]:
    from torchvision.models import get_model_weights

    if not architecture.startswith(TORCHVISION):
        raise InputError(f"weights torchvision:{name} need a network of torchvision, not {architecture}")
    known = get_model_weights(architecture.removeprefix(TORCHVISION))
    if name not in known.__members__:
        raise InputError(f"weights torchvision:{name} are not known; {architecture} has {', '.join(known.__members__)}")
    return download_weights(known[name].url, folder)


def download_weights(url: str, folder: Path) -> dict[str, Tensor]:
    """Return weights from an address whose last part, ``<name>-<start of the SHA-256>.pth``, says what they must hash to.

    Args:
        folder: keeps the file; a copy put there by hand needs no network.

    Raises:
        InputError: they cannot be downloaded, or are other ones.
    """
    name = url.rpartition("/")[2]
    start = re.search(r"-([a-f0-9]{8,})\.", name)[1]
    path = folder / name
    if not path.exists():
        try:
            with atomic_path(path) as partial:
                torch.hub.download_url_to_file(url, str(partial), hash_prefix=start, progress=False)
        except (RuntimeError, urllib.error.URLError, OSError) as error:
            raise InputError(
                f"{name} could not be downloaded ({one_line(error)}): try again, or put it into {folder} by hand"
            ) from None
    if not sha256_of(path).startswith(start):
        raise InputError(
            f"{path} is damaged or another file (its SHA-256 does not start with {start}): replace or delete it"
        )
    return _from_file(path)


def load_weights(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give a network weights by name, whose names may all have one prefix more than its own.

    Raises:
        InputError: they do not fit the network.
    """
    try:
        network.load_state_dict(without_prefix(weights, network.state_dict()))
    except RuntimeError as error:
        hint = hint_of_prefix(weights)
        raise InputError(f"the weights do not fit the network{hint}: {one_line(error)}") from None


def import_network(
    build: Callable[[], nn.Module],
    weights: dict[str, Tensor],
    splits: Splits,
    folder: str | Path,
    *,
    seed: int,
    metadata: dict,
    init: Literal["drawn", "none"] = "drawn",
) -> None:
    """Write a network with its weights as the last checkpoint of a training, and as drawn anew as its first.

    Args:
        build: makes the untrained network; called with torch's default generator seeded.
        weights: by name, as ``state_dict`` has them.
        splits: images for the batch-norm statistics of the untrained network.
        folder: gets ``epoch0000`` and ``epoch0001``.
        seed: of the untrained network's weights.
        metadata: written beside both.
        init: ``none`` leaves the first one out.

    Raises:
        InputError: the weights do not fit the network.
    """
    network = build_seeded(build, seed)
    errors = {"train_error": None, "validation_error": None}
    with atomic_path(folder) as partial:
        if init == "drawn":
            estimate_batch_norm(network, splits)
            save_checkpoint(
                network, partial / "epoch0000.safetensors", {**metadata, "seed": seed, "epoch": 0, "step": 0, **errors}
            )
        load_weights(network, weights)
        save_checkpoint(
            network, partial / "epoch0001.safetensors", {**metadata, "seed": seed, "epoch": 1, "step": 0, **errors}
        )
