"""Batch-norm statistics that belong to a network's weights, estimated from images and never left over."""

import math

import torch
from torch import nn

from .datasets import Splits
from .evaluation import EVALUATION_BATCH
from .operations import evaluating


@torch.no_grad()
def estimate_batch_norm(network: nn.Module, splits: Splits) -> None:
    """Set the running statistics of every batch-norm by one pass over the training images, a plain mean over batches."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    device = next(network.parameters()).device
    momenta = [norm.momentum for norm in norms]
    with evaluating(network):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        # Batches of nearly equal size: a last one of a single image would have no statistics, or as much weight as 500
        for images in splits.train.images.tensor_split(math.ceil(len(splits.train) / EVALUATION_BATCH)):
            network(splits.normalise(images.to(device)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
