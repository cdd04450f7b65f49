"""How far all outputs of a function move, in one pass over images with their perturbations."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from .distances import DistanceAccumulator, Distances
from .errors import InputError
from .perturbations import Perturbed

logger = logging.getLogger(__name__)

Take = Callable[[str, Tensor], None]
Evaluate = Callable[[Sequence[Tensor], Take], None]
REPEATABLE = 1e-3  # of the spread of outputs over images: kernels that sum in another order each time stay far below
OUTPUT = "output"  # of the whole model, beside the names of its operations


@torch.no_grad()
def measure_distances(evaluate: Evaluate, batches: Iterable[Perturbed], pilot: Tensor) -> dict[str, Distances]:
    """Return how far every output of a function moves, in one pass over batches of perturbed images.

    Args:
        evaluate: ``evaluate(sets, take)`` calls ``take(name, output)`` with each output ``(B, ...)`` for the images, those of
            one set after those of another.
        batches: images with their perturbations.
        pilot: a few images; the mean of their outputs is where the bootstrap takes squared distances from.

    Returns:
        Distances by name of the output, under deformation, then noise.
    """
    vectors = _Vectors()
    all_of_them, fewer = (_outputs_of(evaluate, images, vectors) for images in (pilot, pilot[:-1]))
    # An operation whose outputs number those of the images by chance does so for one number of images
    pairs = {name: (output, fewer[name]) for name, output in all_of_them.items() if name in fewer}
    warn_of_other_outputs(pairs)
    accumulators = {
        name: DistanceAccumulator(output.mean(0, dtype=torch.float64)) for name, (output, _) in pairs.items()
    }

    def take(name: str, output: Tensor) -> None:
        if name in accumulators:
            accumulators[name].add(*vectors.of(name, output).chunk(3))
        elif name not in all_of_them:
            raise InputError(f"{named(name)} runs for some images and not for others: it cannot be measured")

    images = 0
    for batch in batches:
        evaluate(batch, take)
        images += len(batch[0])
    measured = {name: accumulator.result() for name, accumulator in accumulators.items()}
    for name, distances in measured.items():
        if distances.images != images:
            raise InputError(
                f"{named(name)} gave outputs for {distances.images} of {images} images: it cannot be measured"
            )
    return measured


class _Vectors:
    """Makes a vector per image of what an operation puts out.

    Distances do not depend on the order of its numbers, so that this is the one in which they lie in memory where the operation
    first ran: another one would take a copy, which costs more than the distances.
    """

    def __init__(self):
        self._channels_last: dict[str, bool] = {}

    def of(self, name: str, output: Tensor) -> Tensor:
        """Return the vectors ``(B, K)`` of an operation's output ``(B, ...)``; of a single number per image, ``(B, 1)``."""
        maps = output.ndim == 4
        if (
            self._channels_last.setdefault(name, maps and output.is_contiguous(memory_format=torch.channels_last))
            and maps
        ):
            output = output.permute(0, 2, 3, 1)
        return output.reshape(len(output), -1)


def _outputs_of(evaluate: Evaluate, images: Tensor, vectors: _Vectors) -> dict[str, Tensor]:
    outputs: dict[str, Tensor] = {}

    def take(name: str, output: Tensor) -> None:
        outputs[name] = vectors.of(name, output).clone()

    evaluate((images,), take)
    return outputs


def warn_of_other_outputs(pairs: Mapping[str, tuple[Tensor, Tensor]]) -> None:
    """Say it if the same images give other outputs in a second pass, by more than rounding.

    Args:
        pairs: by name, outputs for some images and, in a pass of their own, for all of them but the last.
    """
    for name, (output, again) in pairs.items():
        if (output[:-1] - again).norm() > REPEATABLE * (output - output.mean(0)).norm():
            logger.warning(
                "%s gives other outputs when it sees the same images again, so that what is measured is not its stability alone: "
                "it draws random numbers in evaluation (dropout called as a function, say), or mixes the images of a batch",
                named(name),
            )
            return


def named(name: str) -> str:
    """Return what an output is called in messages."""
    return "the model" if name == OUTPUT else f"operation {name}"


def has_distances(output: Tensor) -> bool:
    """Whether distances between outputs can be taken."""
    return output.is_floating_point() and output.layout is torch.strided
