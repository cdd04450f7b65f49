"""What counts as a batch of images: a tensor, or anything that is sliced into tensors."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor


class Images(Protocol):
    """Images ``(P, C, n, n)``, of which only a batch need be in memory at a time: ``images[start:stop]`` is a tensor."""

    @property
    def shape(self) -> torch.Size: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def device(self) -> torch.device: ...

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice) -> Tensor: ...


def batches_of(images: Images, batch_size: int) -> Iterator[tuple[slice, Tensor]]:
    """Yield the images batch by batch, ``(B, C, n, n)`` with B at most ``batch_size``, each after the part that it is."""
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        yield part, images[part]
