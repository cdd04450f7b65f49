"""Trainings made by hand, whose weights a test sets; and how two trainings are compared."""

import copy
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from diffeo_stability import build_network
from diffeo_stability.networks.checkpoints import list_checkpoints, load_checkpoint, save_checkpoint

SPLIT = {"validation_images": 100, "seed": 0, "train_size": 200, "label_count": None, "noise": 0.0}


def save_training(
    folder: Path, networks: Iterable[nn.Module], arguments: dict, trained_part: str = "all", **split: object
) -> None:
    """Write checkpoints of epochs 0, 1, ... with the given networks, all built from the same arguments."""
    for epoch, network in enumerate(networks):
        described = {
            "net": "mine",
            "seed": 3,
            "network": arguments,
            "split": SPLIT | split,
            "trained_part": trained_part,
        }
        metadata = {**described, "epoch": epoch, "step": 10 * epoch}
        save_checkpoint(network, folder / f"epoch{epoch:04d}.safetensors", metadata)


def write_training(folder: Path, change: Callable[[nn.Module], None], trained_part: str = "all", **arguments) -> Path:
    """Write checkpoints of a network at init and, changed in place, as trained; return their folder."""
    arguments = {"in_channels": 1, "image_size": 28, "classes": 10, **arguments}
    torch.manual_seed(0)
    network = build_network(**arguments)
    trained = copy.deepcopy(network)
    with torch.no_grad():
        change(trained)
    save_training(folder, [network, trained], arguments, trained_part)
    return folder


def weights(folder: Path) -> dict[str, Tensor]:
    """Return the weights and buffers of a training's last checkpoint."""
    return load_checkpoint(list_checkpoints(folder)[-1])[0].state_dict()


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether two networks have the same weights and buffers, bit by bit."""
    return all(torch.equal(first[name], second[name]) for name in first)
