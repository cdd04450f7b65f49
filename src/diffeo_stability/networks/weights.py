"""Networks that are trained already: weights from a file, an installed package or torchvision, turned into checkpoints."""

import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..core.errors import InputError, one_line
from ..core.seeds import build_seeded
from ..data.contents import PACKAGE, located
from ..data.datasets import Splits
from ..data.fetching import FetchError, fetch
from ..data.files import atomic_path, is_there, remedy_for, remove_leftovers_of_the_dead, sha256_of
from ..data.tensors import read_tensors
from .batch_norm import estimate_batch_norm
from .checkpoints import save_checkpoint
from .external import library_of
from .unwrapping import START, hint_of_prefix, tensors_of, what_else, without_prefix

TORCHVISION = "torchvision:"
LARGEST = 2**33  # bytes; no weights of torchvision are larger
SCRIPT = "constants.pkl"  # a file that torch.jit.save has in its archive, and torch.save has not
DATA = "data.pkl"  # which both have
REFUSED = "unsupported"  # with which torch says what it does not unpickle


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
    path = located(source)
    if source.startswith(PACKAGE) and not is_there(path):
        package, _, file = source.removeprefix(PACKAGE).partition("/")
        raise InputError(f"weights {source}: the package {package} is not installed, or has no {file}: install it")
    return _from_file(path)


def _from_file(path: Path) -> dict[str, Tensor]:
    if not is_there(path):
        raise InputError(
            f"weights {path} are not there: correct the path, in which neither ~ nor a variable is expanded"
        )
    if not path.is_file():
        raise InputError(f"weights {path} are no file: name the file itself")
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            other = what_else(file.read(START), suffix)
        if other is not None:
            raise InputError(f"weights {path} {other}")
        content = read_tensors(path)[0] if suffix == ".safetensors" else _unpickled(path)
        return tensors_of(content, str(path), path.stat().st_size)
    except InputError:
        raise
    except Exception as error:  # what is damaged fails in every way that there is
        remedy = remedy_for(error, "replace them")
        why = one_line(error) or type(error).__name__
        raise InputError(f"weights {path} cannot be read ({why}): {remedy}") from None


def _unpickled(path: Path) -> Any:
    """What a file of ``torch.save`` holds, if that is nothing but tensors and plain values."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            parts = {name.rpartition("/")[2] for name in archive.namelist()}
        if SCRIPT in parts:
            raise InputError(
                f"weights {path} are a TorchScript archive, which is code: give its state_dict, torch.jit.load(...).state_dict()"
            )
        if DATA not in parts:
            raise InputError(
                f"weights {path} are an archive that torch.save has not written: unpack it, or get their state_dict"
            )
        if unpacked > path.stat().st_size:
            raise InputError(f"weights {path} are packed, as torch.save leaves none: refused; save them anew")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if REFUSED not in str(error).lower():
            # With its own words torch advises to let code run
            raise ValueError("it is damaged, or no file of torch.save") from None
        raise InputError(
            f"weights {path} hold more than tensors, which could run code: refused; save the network's state_dict() alone"
        ) from None


def _from_torchvision(name: str, architecture: str, folder: Path) -> dict[str, Tensor]:
    from torchvision.models import get_model_weights

    if not architecture.startswith(TORCHVISION):
        raise InputError(f"weights torchvision:{name} need a network of torchvision, not {architecture}")
    network = architecture.removeprefix(TORCHVISION)
    library_of("torchvision", network)
    known = get_model_weights(network)
    if name not in known.__members__:
        raise InputError(f"weights torchvision:{name} are not known; {architecture} has {', '.join(known.__members__)}")
    return _from_file(fetch_weights(known[name].url, folder, most_bytes(known[name])))


def most_bytes(weights: Any) -> int:
    """Return how many bytes weights of torchvision may have, by the size that it says, which is rounded; many if it does not."""
    return round(weights.meta.get("_file_size", LARGEST / 2**20) * 1.1 * 2**20) + 2**20


def fetch_weights(url: str, folder: Path, most: int) -> Path:
    """Return the file of weights from an address whose last part, ``<name>-<start of the SHA-256>.pth``, says what they hash to.

    Args:
        folder: keeps the file; a copy put there by hand needs no network.
        most: bytes that it may have.

    Raises:
        InputError: they cannot be downloaded, or are other ones.
    """
    name = url.rpartition("/")[2]
    start = re.search(r"-([a-f0-9]{8,})\.", name)[1]
    path = folder / name
    if not path.exists():
        remove_leftovers_of_the_dead(path)
        try:
            with atomic_path(path) as partial:
                fetch(url, partial, digest=start, algorithm="sha256", most=most)
        except FetchError as error:
            raise InputError(
                f"{name} could not be downloaded ({error}): try again, or put it into {folder} by hand"
            ) from None
    if not sha256_of(path).startswith(start):
        raise InputError(
            f"{path} is damaged or another file (its SHA-256 does not start with {start}): replace or delete it"
        )
    return path


def load_weights(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give a network weights by name, whose names may all have one prefix more than its own.

    Raises:
        InputError: they do not fit the network.
    """
    try:
        own = network.state_dict()
        fitting = without_prefix(weights, own)
        _check_kept(fitting, own)
        network.load_state_dict(fitting)
    except Exception as error:  # tensors of other kinds fail in ways of their own
        hint = hint_of_prefix(weights)
        raise InputError(f"the weights do not fit the network{hint}: {one_line(error)}") from None


def _check_kept(weights: Mapping[str, Tensor], own: Mapping[str, Any]) -> None:
    """Refuse numbers of a kind that torch would turn into another one without a word.

    Of complex ones it drops the imaginary parts, and of whole ones in the place of real ones, as of weights that were quantised,
    the scale is not known.
    """
    for name, tensor in weights.items():
        if not isinstance(own.get(name), Tensor):
            continue
        if tensor.is_complex() and not own[name].is_complex():
            raise InputError(f"{name} holds complex numbers, and real ones in the network: give real weights")
        if own[name].is_floating_point() and not (tensor.is_floating_point() or tensor.is_complex()):
            raise InputError(
                f"{name} holds {tensor.dtype}, and real numbers in the network: give weights that are not quantised"
            )


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
