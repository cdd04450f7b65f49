"""Batch-norm statistics that belong to a network's weights, estimated from images and never left over."""

import math

import torch
from torch import nn

from ..core.operations import evaluating
from ..core.seeds import generator_for
from ..core.set_statistics import batch_norms
from ..data.datasets import Splits
from .evaluation import evaluation_batch


@torch.no_grad()
def estimate_batch_norm(network: nn.Module, splits: Splits) -> None:
    """Set the running statistics of every batch-norm by one pass over the training images, a plain mean over batches.

    A data set without training images lends its test images, without their labels.
    """
    norms = [norm for norm in batch_norms(network) if norm.track_running_stats]
    if not norms:
        return
    device = next(network.parameters()).device
    momenta = [norm.momentum for norm in norms]
    with evaluating(network):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        generator = generator_for("noise on images of batch-norm")
        # Batches of nearly equal size: a last one of a single image would have no statistics, or as much weight as 500
        part = splits.train if len(splits.train) else splits.test
        batch = evaluation_batch(part.images.shape[-1])
        for images in part.images.tensor_split(math.ceil(len(part) / batch)):
            network(splits.shown(images.to(device), generator))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
