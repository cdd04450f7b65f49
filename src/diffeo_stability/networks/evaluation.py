"""How often a network is wrong."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..core.operations import evaluating
from ..core.seeds import derive_seed, generator_for
from ..data.datasets import Split, Splits

EVALUATION_BATCH = 500  # of images of 32 x 32 pixels and smaller


def evaluation_batch(image_size: int) -> int:
    """Return how many images of a size are looked at together: larger ones take as much memory as those of 32 pixels."""
    return max(1, EVALUATION_BATCH * 32**2 // max(image_size, 32) ** 2)


@torch.no_grad()
def evaluated(network: nn.Module, splits: Splits, part: Split) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield logits and labels of a part's images, batch by batch on the network's device, in float32 and evaluation mode.

    Where images have noise added, it is the same one for every network and at every call. Torch's default generator is seeded
    meanwhile: what a network draws even so is the same in every evaluation, whatever was drawn before, by a training that was
    interrupted, say.
    """
    device = next(network.parameters()).device
    generator = generator_for("noise on evaluated images")
    batch = evaluation_batch(part.images.shape[-1])
    with evaluating(network), torch.random.fork_rng():
        torch.manual_seed(derive_seed("evaluation"))
        for images, labels in zip(part.images.split(batch), part.labels.split(batch), strict=True):
            yield network(splits.shown(images.to(device), generator)), labels.to(device)


def error_rate(network: nn.Module, splits: Splits, part: Split) -> float:
    """Return the share of a part's images that a network misclassifies, in float32 and evaluation mode; NaN if it has none."""
    if len(part) == 0:
        return math.nan
    wrong = sum(int((logits.argmax(1) != labels).sum()) for logits, labels in evaluated(network, splits, part))
    return wrong / len(part)


def error_interval(error: float, images: int) -> tuple[float, float]:
    """Return the 95% Wilson interval of an error rate measured on so many images (Wilson, JASA 22, 1927).

    Args:
        error: share of the images that are misclassified; NaN if it is not known.
        images: their number.

    Returns:
        The ends of the interval, within 0 to 1; it holds the error rate. 0 and 1 where nothing was measured.
    """
    from scipy.stats import binomtest  # a second to import, and trainings have no use for it

    if images == 0 or math.isnan(error):
        return 0.0, 1.0
    interval = binomtest(round(error * images), images).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)
