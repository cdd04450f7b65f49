"""Margins for networks that halve the image so often that it must have 32 pixels."""

import math

from torch import nn

SMALLEST_SIZE = 32


def pad_to_smallest(image_size: int) -> list[nn.Module]:
    """Return the zero padding that brings an image to 32 pixels along a side, or nothing for one that has them."""
    missing = max(0, SMALLEST_SIZE - image_size)
    before, after = missing // 2, math.ceil(missing / 2)
    return [nn.ZeroPad2d((before, after, before, after))] if missing else []
