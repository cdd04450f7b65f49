"""A data set in one safetensors file, with a hash of its pixels and labels."""

import json
from pathlib import Path

import torch

from ..core.errors import InputError, lacks_memory, one_line
from .datasets import TENSORS, Dataset
from .tensors import read_tensors, save_tensors


def save_dataset(dataset: Dataset, path: str | Path) -> None:
    """Write a data set to one safetensors file, atomically, with all that belongs to it and a hash of pixels and labels."""
    tensors = {name: getattr(dataset, name) for name in TENSORS}
    lists = {"classes": dataset.classes, "mean": dataset.mean.tolist(), "std": dataset.std.tolist()}
    described = {name: json.dumps(values) for name, values in lists.items()}
    save_tensors(tensors, path, {**described, "sha256": dataset.sha256})


def load_dataset(path: str | Path) -> Dataset:
    """Read a data set that :func:`save_dataset` wrote.

    Raises:
        InputError: the file is missing, truncated, changed or not a data set.
    """
    try:
        tensors, metadata = read_tensors(path)
        mean, std = (torch.tensor(json.loads(metadata[name])) for name in ("mean", "std"))
        dataset = Dataset(**tensors, classes=tuple(json.loads(metadata["classes"])), mean=mean, std=std)
        if dataset.sha256 != metadata["sha256"]:
            raise OSError("its content does not match its hash")
        return dataset
    except Exception as error:  # what is damaged fails in every way that there is
        remedy = "free some memory" if lacks_memory(error) else "delete it and run again, to make it anew"
        raise InputError(f"data set {path} cannot be read ({one_line(error)}): {remedy}") from None
