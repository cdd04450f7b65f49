"""Checkpoints: weights in safetensors, what they are in a JSON file beside them. Nothing is ever unpickled."""

from pathlib import Path

from torch import nn

from ..core.errors import InputError, lacks_memory, one_line
from ..data.files import read_json, sha256_of, write_json
from ..data.tensors import read_tensors, save_tensors
from .build import build_network


def save_checkpoint(network: nn.Module, path: str | Path, metadata: dict) -> None:
    """Write a network's weights to ``path`` and its metadata, with the weights' hash, to the JSON file beside it.

    Args:
        metadata: must hold ``network``, the arguments of :func:`build_network`.
    """
    save_tensors(network.state_dict(), path)
    write_json(Path(path).with_suffix(".json"), {**metadata, "sha256": sha256_of(path)})


def read_metadata(path: str | Path) -> dict:
    """Return the metadata of a checkpoint.

    Raises:
        InputError: they are missing, or no metadata of a checkpoint.
    """
    return read_json(Path(path).with_suffix(".json"), sha256=str, network=dict)


def load_checkpoint(path: str | Path) -> tuple[nn.Module, dict]:
    """Return the network of a checkpoint, on the CPU and in evaluation mode, and its metadata.

    Raises:
        InputError: the weights are missing, damaged, pickled, or not the ones that the metadata belongs to.
    """
    metadata = read_metadata(path)
    try:
        if sha256_of(path) != metadata["sha256"]:
            raise InputError(
                f"checkpoint {path} is not the file that its metadata describes: delete its folder, run again"
            )
        weights, _ = read_tensors(path)
        network = build_network(**metadata["network"])
        network.load_state_dict(weights)
    except InputError:
        raise
    except Exception as error:  # what is damaged fails in every way that there is
        remedy = "free some memory" if lacks_memory(error) else "delete its folder and run again"
        raise InputError(f"checkpoint {path} cannot be read ({one_line(error)}): {remedy}") from None
    return network.eval(), metadata


def list_checkpoints(folder: str | Path) -> list[Path]:
    """Return a training's checkpoints in order of epoch: the first is the net at init, the last the trained one.

    Raises:
        InputError: there are none.
    """
    paths = sorted(Path(folder).glob("[!.]*.safetensors"), key=_epoch_of)
    if not paths:
        raise InputError(f"{folder} holds no checkpoint: delete it and run again")
    return paths


def _epoch_of(path: Path) -> int:
    return read_json(path.with_suffix(".json"), epoch=int)["epoch"]
