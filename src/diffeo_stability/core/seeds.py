"""Independent random streams, each derived from the names of what it is for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


def derive_seed(*purpose: str | int) -> int:
    """Return a 63-bit seed for a purpose, e.g. ``derive_seed("augmentation", seed, epoch)``.

    Streams of different purposes are independent, so that adding a draw to one never shifts another.
    """
    digest = hashlib.sha256("\x1f".join(map(str, purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator_for(*purpose: str | int) -> torch.Generator:
    """Return a CPU generator seeded by :func:`derive_seed`; the CPU's streams are the same on every device."""
    import torch  # seconds to import, and some jobs need only derive_seed

    return torch.Generator().manual_seed(derive_seed(*purpose))


def build_seeded(build: Callable[[], torch.nn.Module], seed: int) -> torch.nn.Module:
    """Return what ``build`` returns when torch's default generator is seeded, and leave that generator as it was."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(derive_seed("weights", seed))
        return build()
