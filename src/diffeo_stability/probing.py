"""The trained networks of a run, and the images that all of them are measured on."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from .checkpoints import list_checkpoints, load_checkpoint
from .config import Probe
from .datasets import Dataset, ProbeImages, probe_images
from .seeds import generator_for


def networks_by_state(folder: str | Path, device: torch.device | str) -> Iterator[tuple[str, nn.Module, dict]]:
    """Yield a training's network at ``init`` and ``trained``, each with its metadata, one at a time."""
    checkpoints = list_checkpoints(folder)
    for state, path in (("init", checkpoints[0]), ("trained", checkpoints[-1])):
        yield state, *load_checkpoint(path, device)


def probe_on(dataset: Dataset, probe: Probe, device: torch.device | str) -> ProbeImages:
    """Return the run's probe images, normalised when sliced, on a device."""
    return probe_images(dataset, probe.images, probe.seed, device)


def probe_generator(probe: Probe) -> torch.Generator:
    """Return the source of deformations and noise; a fresh one gives every network the same ones."""
    return generator_for("perturbations", probe.seed)


def describe(state: str | None, metadata: dict) -> dict:
    """Return the columns that say which network a row of a table is about; without ``state``, if it compares several."""
    return {
        "net": metadata["net"],
        "seed": metadata["seed"],
        **({} if state is None else {"state": state}),
        "architecture": metadata["network"]["name"],
        "width": metadata["network"].get("width", 1.0),
    }
