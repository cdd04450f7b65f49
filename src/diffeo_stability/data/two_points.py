"""Pairs of pixels, to be told apart by their distance: a task that smooth pooling solves, and nothing else is to be learnt.

Source: arXiv:2210.01506, section 4 (scale detection), and its code.
"""

import torch
from torch import Tensor

from ..core.seeds import generator_for
from .requests import Request, fields_of
from .settings import TwoPoints

CLASSES = ("near", "far")
PLAIN, NOISY = (0.0, 255.0), (85.0, 85.0)  # grey level of no pixel, and what an active one adds


def pairs_by_class(task: TwoPoints) -> tuple[Tensor, Tensor]:
    """Return all pairs of two pixels that are nearer than ``xi - gap / 2``, and all at least ``xi + gap / 2`` apart.

    Returns:
        ``(N, 2, 2)`` each: pair, point, and row and column; int64.
    """
    pixels = torch.cartesian_prod(torch.arange(task.size), torch.arange(task.size))
    pairs = pixels[torch.combinations(torch.arange(len(pixels)))]
    apart = pairs.diff(dim=1)[:, 0].abs().double()
    distance = apart.amax(1) if task.norm == "Linf" else apart.norm(dim=1)
    return pairs[distance < task.xi - task.gap / 2], pairs[distance >= task.xi + task.gap / 2]


def draw_pairs(task: TwoPoints) -> dict[str, tuple[Tensor, Tensor]]:
    """Draw training and test pairs by seed, half of each class, and no pair twice.

    Returns:
        By part, ``train`` and ``test``: pairs ``(N, 2, 2)``, see :func:`pairs_by_class`, and labels ``(N,)``.
    """
    counts = {"train": task.train_images // 2, "test": task.test_images // 2}
    drawn = []
    for name, pairs in zip(CLASSES, pairs_by_class(task), strict=True):
        order = torch.randperm(len(pairs), generator=generator_for("two points", name, task.seed))
        drawn.append(pairs[order[: sum(counts.values())]].split(list(counts.values())))
    parts = {}
    for part, (near, far) in zip(counts, zip(*drawn, strict=True), strict=True):
        labels = torch.arange(len(CLASSES)).repeat_interleave(torch.tensor([len(near), len(far)]))
        parts[part] = torch.cat((near, far)), labels
    return parts


def draw_images(pairs: Tensor, task: TwoPoints, part: str) -> Tensor:
    """Return images whose two pixels are active, uint8 ``(N, 1, size, size)``.

    Noise in the background is that of the part and of the image's number, whatever its pixels are.
    """
    active = torch.zeros(len(pairs), task.size, task.size)
    image = torch.arange(len(pairs))[:, None]
    active[image, pairs[..., 0], pairs[..., 1]] = 1
    level, height = PLAIN
    if task.background_noise:
        level, height = NOISY
        generator = generator_for("two points background", part, task.seed)
        active += task.background_noise * torch.randn(active.shape, generator=generator)
    return (level + height * active).round().clamp(0, 255).byte()[:, None]


def move_pairs(pairs: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Move every point by about a pixel: by a unit vector of random direction, rounded, and not out of the image.

    As in the source's code, where this stands in for a smooth deformation of an image that has no smooth content.
    """
    directions = torch.randn(pairs.shape, generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=-1, keepdim=True)
    return (pairs + directions.round().long()).clamp(0, size - 1)


def read(request: Request) -> dict:
    """Return the fields of the data set."""
    task = TwoPoints(**request.two_points or {})
    parts = draw_pairs(task)
    images = {part: (draw_images(pairs, task, part), labels) for part, (pairs, labels) in parts.items()}
    return fields_of(images, CLASSES)
