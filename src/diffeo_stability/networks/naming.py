"""Readable, stable names for the operations of a network: ``conv1, batchnorm1, relu1, pool1, conv2, ...``."""

from collections import Counter

from torch import nn

from ..core.errors import InputError
from ..core.operations import kind_of


def sequential(*operations: nn.Module) -> nn.Sequential:
    """Return the operations in a row, each named by its kind and how many of its kind came before."""
    counts: Counter[str] = Counter()
    network = nn.Sequential()
    for operation in operations:
        kind = kind_of(operation)
        counts[kind] += 1
        network.add_module(f"{kind}{counts[kind]}", operation)
    return network


def scaled(channels: int, width: float) -> int:
    """Return a number of channels times the width multiplier, at least 1."""
    return max(1, round(channels * width))


def check_filter_size(filter_size: int, image_size: int) -> None:
    """Raise :class:`InputError` unless filters of this size, padded by half of it, keep an image's size."""
    if filter_size % 2 == 0 or not 1 <= filter_size <= image_size:
        raise InputError(f"filter_size is {filter_size}: it must be odd, from 1 to image_size ({image_size})")
