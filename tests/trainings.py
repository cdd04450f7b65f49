"""Trainings made by hand: checkpoints of networks whose weights a test sets."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from diffeo_stability import build_network
from diffeo_stability.checkpoints import save_checkpoint


def write_training(
    folder: Path,
    change: Callable[[nn.Module], None],
    *,
    change_init: Callable[[nn.Module], None] | None = None,
    **network,
) -> Path:
    """Write checkpoints of a network at init and, changed in place, as trained; return their folder."""
    description = {"in_channels": 1, "image_size": 28, "classes": 10, **network}
    torch.manual_seed(0)
    built = build_network(**description)
    split = {"validation_images": 100, "seed": 0, "train_size": 200, "label_count": None}
    metadata = {"net": "mine", "network": description, "seed": 3, "split": split}
    with torch.no_grad():
        for epoch, act in ((0, change_init), (2, change)):
            if act is not None:
                act(built)
            save_checkpoint(
                built, folder / f"epoch{epoch}.safetensors", {**metadata, "epoch": epoch, "step": 10 * epoch}
            )
    return folder
