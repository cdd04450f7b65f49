"""Checkpoints: weights in safetensors, what they are in a JSON file beside them. Nothing is ever unpickled."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from .architectures import build_network
from .datasets import Dataset
from .errors import InputError, one_line
from .files import read_json, sha256_of, write_json
from .records import code_state, software_versions
from .tensors import read_tensors, save_tensors


def save_checkpoint(network: nn.Module, path: str | Path, metadata: dict) -> None:
    """Write a network's weights to ``path`` and its metadata, with the weights' hash, to the JSON file beside it.

    Args:
        metadata: must hold ``network``, the arguments of :func:`build_network`.
    """
    save_tensors(network.state_dict(), path)
    origin = {**code_state(), "versions": software_versions(), "sha256": sha256_of(path)}
    write_json(Path(path).with_suffix(".json"), {**metadata, **origin})


def describe_training(job: Any, dataset: Dataset) -> dict:
    """Return the metadata that all checkpoints of a training share.

    Args:
        job: Snakemake's own object, of the job that makes them; ``params.training`` is what decides the training.
        dataset: the images, read from ``input.dataset``.
    """
    training = job.params.training
    sizes = {
        "in_channels": dataset.channels,
        "image_size": dataset.image_size,
        "classes": training["split"]["label_count"] or len(dataset.classes),
    }
    return {
        "run": job.wildcards.run,
        "net": job.wildcards.net,
        "variant": job.wildcards.variant,
        "dataset": {"path": job.input.dataset, "sha256": dataset.sha256},
        "network": training["network"] | sizes,
        "split": training["split"],
    }


def read_metadata(path: str | Path) -> dict:
    """Return the metadata of a checkpoint."""
    return read_json(Path(path).with_suffix(".json"))


def load_checkpoint(path: str | Path, device: torch.device | str = "cpu") -> tuple[nn.Module, dict]:
    """Return the network of a checkpoint, in evaluation mode, and its metadata.

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
    except (OSError, SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"checkpoint {path} cannot be read ({one_line(error)}): delete its folder and run again"
        ) from None
    # Processors and GPUs both evaluate convolutions faster in this layout
    return network.to(device, memory_format=torch.channels_last).eval(), metadata


def list_checkpoints(folder: str | Path) -> list[Path]:
    """Return a training's checkpoints in order of epoch: the first is the net at init, the last the trained one.

    Raises:
        InputError: there are none.
    """
    paths = sorted(Path(folder).glob("[!.]*.safetensors"), key=lambda path: read_metadata(path)["epoch"])
    if not paths:
        raise InputError(f"{folder} holds no checkpoint: delete it and run again")
    return paths
