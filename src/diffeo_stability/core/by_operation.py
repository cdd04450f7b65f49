"""Stability after every named operation of a model: the numbers of :mod:`.stability`, layer by layer."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Unpack

import torch
from torch import Tensor, nn

from .compiled import parts_uncompiled
from .deformation import Interpolation
from .distances import Distances
from .errors import InputError, few
from .estimates import check_bootstrap, stability_of
from .image_sources import ImageSource
from .images import Images
from .look import Look, looked_at, source_of_randomness
from .models import as_module, check_parts_known
from .operations import SCRIPTED, is_scripted, named_operations, observing, original, registered_name
from .outputs import Take, has_distances, measure_distances
from .perturbations import NoiseNorm, PerturbationSettings
from .results import StabilityByOperation
from .set_statistics import BatchNorm, Forward

View = Callable[[Tensor], Tensor | None]

SHOWN = 8  # operations that are named
logger = logging.getLogger(__name__)


def stability_by_operation(
    model: nn.Module,
    images: ImageSource,
    *,
    displacement: float = 1.0,
    cutoff: int = 3,
    interpolation: Interpolation = "bilinear",
    noise_norm: NoiseNorm = "mean",
    batch_norm: BatchNorm = "running",
    batch_size: int = 250,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int | None = None,
    generator: torch.Generator | None = None,
    progress: bool = False,
) -> StabilityByOperation:
    """Measure D, G and R after every named operation of a model, all in one pass over the images.

    >>> print(stability_by_operation(model, images, seed=0))  # doctest: +SKIP

    Settings are those of :func:`relative_stability`. Operations that do not give one output per image, such as those on the
    windows of a transformer, are left out. Those that give the same output for every image, as residual branches of untrained
    networks do whose last weights are zeros, are left out and named by a warning. Another warning names those that the model does
    not call, such as a linear map whose weights ``nn.MultiheadAttention`` gives to a function.

    Args:
        model: a module from images ``(B, C, n, n)``, whatever it returns.
        images: as of :func:`relative_stability`.
        displacement, cutoff, interpolation: of the deformations.
        noise_norm: of the noise.
        batch_norm: whose statistics batch-norm uses.
        batch_size: images per forward pass.
        resamples, confidence: of the bootstrap over images.
        seed, generator: source of randomness, one of the two.
        progress: whether a line on a terminal's stderr counts images.

    Returns:
        A dictionary with one result per named operation, in the order in which the model executes them; where it executes one
        several times, the second result is named ``<name>#2``.

    Raises:
        InputError: what :func:`relative_stability` refuses, of any operation, or outputs of all operations that are the same for
            every image; a model that is no module or has no operations.
    """
    generator = source_of_randomness(seed, generator)
    check_bootstrap(resamples, confidence)
    with _operations_looked_at(
        model,
        images,
        generator,
        displacement=displacement,
        cutoff=cutoff,
        interpolation=interpolation,
        noise_norm=noise_norm,
        batch_norm=batch_norm,
        batch_size=batch_size,
        progress=progress,
    ) as look:
        distances = _telling(measure_distances(*look))
    return StabilityByOperation(
        stability_of(distances, resamples=resamples, confidence=confidence, generator=generator)
    )


def _telling(distances: Mapping[str, Distances]) -> dict[str, Distances]:
    """Those of operations that do not give the same output for every image; the others are named."""
    constant = [name for name, measured in distances.items() if measured.constant]
    if constant and len(constant) == len(distances):
        raise InputError("every operation gives the same output for every image: D and G would divide by zero")
    if constant:
        logger.warning("left out, as they give the same output for every image: %s", few(constant, SHOWN))
    return {name: measured for name, measured in distances.items() if name not in constant}


def distances_by_operation(
    model: nn.Module,
    images: ImageSource,
    *,
    generator: torch.Generator | None = None,
    deformed: Images | None = None,
    view: View | None = None,
    **perturbation: Unpack[PerturbationSettings],
) -> dict[str, Distances]:
    """Measure how far the output of every named operation moves, image by image: under deformation, then noise.

    For what :func:`stability_by_operation` does not tell, such as an interval of how two models compare on the same images;
    :func:`stability_of` turns them into its results. Settings and the order of operations are those of
    :func:`stability_by_operation`.

    Args:
        deformed: the images as the caller deforms them, one for one, instead of by the displacement, cutoff and interpolation.
        view: returns what of an operation's output ``(B, ...)`` is compared, or nothing to leave the operation out; all of it is
            if not given.
    """
    with _operations_looked_at(model, images, generator, view, deformed=deformed, **perturbation) as look:
        return measure_distances(*look)


@contextmanager
def _operations_looked_at(
    model: nn.Module,
    images: ImageSource,
    generator: torch.Generator | None,
    view: View | None = None,
    **settings,
) -> Iterator[Look]:
    module = original(as_module(model))
    check_parts_known(module, "measuring by operation")
    if is_scripted(module):
        raise InputError(f"measuring by operation looks at every one, and {SCRIPTED}")
    with parts_uncompiled(module), looked_at(module, images, _Operations(view), generator, **settings) as look:
        yield look


class _Operations:
    """Evaluates a model, taking the output of every named operation that gives one per image, or a view of it.

    After the first pass a warning names those that it did not call.
    """

    def __init__(self, view: View | None):
        self._view = view
        self._told = False

    def __call__(self, model: nn.Module, forward: Forward, batch: Sequence[Tensor], take: Take) -> None:
        count = sum(map(len, batch))
        called = set()

        def take_images(name: str, output: Tensor) -> None:
            called.add(registered_name(name))
            if isinstance(output, Tensor) and output.ndim > 0 and len(output) == count and has_distances(output):
                seen = output if self._view is None else self._view(output)
                if seen is not None:
                    take(name, seen)

        with observing(model, take_images):
            forward(torch.cat(batch), *range(len(batch)))
        if not self._told:
            self._told = True
            _warn_of_uncalled(model, called)


def _warn_of_uncalled(model: nn.Module, called: Collection[str]) -> None:
    """Say which operations a pass did not call; lists of modules and of parameters cannot be called."""
    unable = nn.Module.forward
    missing = [
        name
        for name, operation in named_operations(model).items()
        if name not in called and type(operation).forward is not unable
    ]
    if missing:
        logger.warning(
            "not measured, as the model has them but does not call them: %s; it may use their weights by a function of torch, as "
            "attention does, or only in training",
            few(missing),
        )
