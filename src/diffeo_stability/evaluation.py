"""How often a network is wrong."""

import math

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


def error_interval(error: float, images: int) -> tuple[float, float]:
    """Return the 95% Wilson interval of an error rate measured on so many images (Wilson, JASA 22, 1927)."""
    z_squared = 1.959964**2
    centre = (error + z_squared / (2 * images)) / (1 + z_squared / images)
    spread = error * (1 - error) / images + z_squared / (4 * images**2)
    half = math.sqrt(z_squared * spread) / (1 + z_squared / images)
    # Rounding must not leave an error of 0 or 1 outside
    return max(0.0, min(error, centre - half)), min(1.0, max(error, centre + half))
