"""How often a network is wrong."""

import torch
from torch import nn

from .datasets import Split, Splits
from .operations import evaluating

EVALUATION_BATCH = 500


@torch.no_grad()
def error_rate(network: nn.Module, splits: Splits, part: Split) -> float:
    """Return the share of a part's images that a network misclassifies, in float32 and evaluation mode."""
    device = next(network.parameters()).device
    wrong = 0
    with evaluating(network):
        for images, labels in zip(
            part.images.split(EVALUATION_BATCH), part.labels.split(EVALUATION_BATCH), strict=True
        ):
            predicted = network(splits.normalise(images.to(device))).argmax(1)
            wrong += int((predicted != labels.to(device)).sum())
    return wrong / len(part)
