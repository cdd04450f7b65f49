r"""Stability of a function to smooth deformations (D), to isotropic noise (G), and relative stability R = D / G.

.. math::

    D_f = \frac{\langle |f(\tau x) - f(x)|^2 \rangle_{x, \tau}}{\langle |f(x) - f(z)|^2 \rangle_{x \ne z}}, \qquad
    G_f = \frac{\langle |f(x + \eta) - f(x)|^2 \rangle_{x, \eta}}{\langle |f(x) - f(z)|^2 \rangle_{x \ne z}}, \qquad
    R_f = \frac{D_f}{G_f},

with noise of exactly the norm of the deformation, :math:`|\eta| = \langle |\tau x - x| \rangle`. Below 1, a function is
more stable to smooth deformations than to generic perturbations of the same size.

Source: arXiv:2105.02468, eqs. 4 to 6.
"""

import logging
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from numbers import Integral
from typing import NamedTuple, Unpack

import torch
from torch import Tensor, nn

from .bootstrap import bootstrap_means, percentile_interval
from .checks import check_whole, is_finite
from .deformation import Interpolation, check_images
from .distances import Distances
from .errors import InputError
from .image_sources import ImageSource, as_images
from .images import Images
from .models import Model, as_module, check_parts_known, device_of, dtype_of, initialise_lazy_layers, logits_of
from .operations import (
    SCRIPTED,
    evaluating,
    is_scripted,
    named_operations,
    observing,
    original,
    registered_name,
)
from .outputs import OUTPUT, Evaluate, Take, measure_distances, named
from .perturbations import NoiseNorm, PerturbationSettings, Perturbed, PerturbedImages, images_per_batch
from .progress import counted, progress_line
from .results import Estimate, RelativeStability, StabilityByOperation
from .seeds import generator_for
from .set_statistics import BatchNorm, Forward, set_normalised

View = Callable[[Tensor], Tensor | None]
EvaluateBy = Callable[[nn.Module, Forward, Sequence[Tensor], Take], None]

PILOT_IMAGES = 32
MOST_RESAMPLES = 10**6
logger = logging.getLogger(__name__)


class StabilitySettings(PerturbationSettings, total=False):
    """The keyword arguments of :func:`relative_stability`."""

    resamples: int
    confidence: float
    seed: int | None
    generator: torch.Generator | None


def _stability(source: str, distances: Distances, means: Tensor, confidence: float) -> RelativeStability:
    """D, G and R with percentile intervals.

    Args:
        source: of the outputs, for errors.
        distances: under deformation, then noise.
        means: bootstrap means ``(3, resamples)`` of both, then of the spread.
    """
    distances.check(source)
    if distances.moved[1].sum() == 0:
        raise InputError(f"{source} gives outputs that do not change with noise: R would divide by zero")

    def with_ratio(values: Tensor) -> Tensor:
        return torch.stack((*values, values[0] / values[1]))

    low, high = percentile_interval(with_ratio(means[:2] / distances.between_images(means[2])), confidence)
    values = with_ratio(distances.normalised())
    if not values.isfinite().all():
        raise InputError(f"{source} gives outputs that hardly change with noise: R is no finite number")
    columns = (values, low, high, with_ratio(distances.medians()))
    estimates = [Estimate(*row) for row in torch.stack(columns, dim=1).tolist()]
    return RelativeStability(*estimates, images=distances.images)


def _check_probe(images: Images) -> None:
    check_images(images)
    if len(images) < 2:
        raise InputError(f"images hold {len(images)}: at least 2 are needed, for the distance between images")


def stability_of(
    distances: Mapping[str, Distances],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> dict[str, RelativeStability]:
    """Return D, G and R of every output from its distances under deformation and noise.

    Args:
        distances: what :func:`measure_distances` returned.
        resamples, confidence, generator: of the bootstrap over images.

    Raises:
        InputError: no outputs, or ones that are NaN, infinite, the same for every image, or not changed by noise.
    """
    if not distances:
        raise InputError("the model has no operation that gives one output per image: there is nothing to measure")
    # One resampling of the images for all outputs
    values = torch.cat([torch.cat((measured.moved, measured.spread[None])) for measured in distances.values()])
    means = bootstrap_means(values, resamples, generator).split(3)
    measured = {
        name: _stability(named(name), of_output, resampled, confidence)
        for (name, of_output), resampled in zip(distances.items(), means, strict=True)
    }
    _warn_of_meaningless(measured)
    return measured


def _warn_of_meaningless(measured: Mapping[str, RelativeStability]) -> None:
    """Say which intervals and medians are no finite numbers, or negative ones, and why."""
    intervals, medians = [], []
    for name, found in measured.items():
        for symbol, estimate in (("D", found.deformation), ("G", found.noise), ("R", found.relative)):
            if not 0 <= estimate.low <= estimate.high < math.inf:
                intervals.append(f"{symbol} of {named(name)}")
            if not math.isfinite(estimate.median):
                medians.append(f"{symbol} of {named(name)}")
    if intervals:
        images = next(iter(measured.values())).images
        logger.warning(
            "the interval of %s means nothing, as it is negative, infinite or NaN: of %d images, a draw with replacement can "
            "hold hardly any different outputs, or none that noise moves; measure on more images",
            *(_listed(intervals), images),
        )
    if medians:
        logger.warning(
            "the median of %s is infinite or NaN: noise moves the outputs of no more than half of the images",
            _listed(medians),
        )


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:3])} and {len(names) - 3} more" if len(names) > 3 else ", ".join(names)


def stability_of_outputs(
    evaluate: Evaluate,
    batches: Iterable[Perturbed],
    pilot: Tensor,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> dict[str, RelativeStability]:
    """Return D, G and R of every output of a function, in one pass over batches of perturbed images.

    Arguments and errors are those of :func:`measure_distances` and :func:`stability_of`.
    """
    check_whole("resamples", resamples, 1, MOST_RESAMPLES)
    if not is_finite(confidence) or not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}: it must lie between 0 and 1, e.g. 0.95")
    distances = measure_distances(evaluate, batches, pilot)
    return stability_of(distances, resamples=resamples, confidence=confidence, generator=generator)


def relative_stability(
    model: Model,
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
) -> RelativeStability:
    """Measure D, G and R of a model's output on images.

    >>> stability = relative_stability(model, images, seed=0)  # doctest: +SKIP
    >>> stability.relative.value, stability.relative.low, stability.relative.high  # doctest: +SKIP

    Args:
        model: a module from images ``(B, C, n, n)`` to vectors ``(B, ...)``, which is put into evaluation mode meanwhile and
            whose lazy layers a first pass initialises; or any other callable, which is called as it is. Of a tuple, list,
            dictionary or dataclass that it returns, ``logits`` is taken, or else the only tensor.
        images: ``(P, C, n, n)``, floating point, P >= 2, scaled as the model expects: a tensor or an array,
            which goes to the model's device and dtype, but for a tensor's dtype where the model has no weights; an iterable of
            batches, such as a DataLoader, which does so too, is read once and held in memory (a batch is a tensor, or a tuple,
            list or dictionary whose first tensor is the images); or anything that gives a tensor on the model's device when
            sliced and has its ``shape``, ``dtype`` and ``device``.
        displacement: typical displacement of the deformations in pixels.
        cutoff: their high-frequency cutoff, at least 2.
        interpolation: ``bilinear``, ``nearest`` or ``gaussian``.
        noise_norm: ``mean``: noise of one norm, the mean of ``|tau x - x|`` over the images; ``per_image``: of each image's
            own ``|tau x - x|``.
        batch_norm: ``running``: batch-norm uses its running statistics, as in evaluation; ``batch``: each whole set of images,
            the clean, the deformed and the noisy ones, normalises itself, as in the code of arXiv:2105.02468 for untrained
            networks, whose running statistics are none. Batch-norm that keeps no running statistics always does so.
        batch_size: images per forward pass, a third of them deformed and a third with noise. It bounds memory and
            changes nothing else.
        resamples, confidence: of the bootstrap over images.
        seed: the same one gives the same deformations, noise and bootstrap samples.
        generator: source of randomness, instead of ``seed``; torch's default one if neither is given.
        progress: whether a line on a terminal's stderr counts images.

    A model that gives other outputs for the same images is named by a warning of the logger ``diffeo_stability``, and so are
    intervals and medians that are negative, infinite or NaN, as they can be of few images, or of outputs that hardly move.

    Returns:
        D, G and R, each with its interval and its form with medians, and the number of images.

    Raises:
        InputError: images of a wrong shape, dtype or content, a setting out of its range, or a model whose outputs are
            NaN, the same for every image, or not changed by noise, or hold several tensors, none of them called ``logits``.
    """
    generator = _source_of_randomness(seed, generator)
    with _looked_at(
        as_module(model),
        images,
        _take_output,
        generator,
        displacement=displacement,
        cutoff=cutoff,
        interpolation=interpolation,
        noise_norm=noise_norm,
        batch_norm=batch_norm,
        batch_size=batch_size,
        progress=progress,
    ) as look:
        measured = stability_of_outputs(*look, resamples=resamples, confidence=confidence, generator=generator)
    return measured[OUTPUT]


def _take_output(_model: nn.Module, forward: Forward, batch: Sequence[Tensor], take: Take) -> None:
    """Evaluate a model, taking its output."""
    count = sum(map(len, batch))
    output = logits_of(forward(torch.cat(batch), *range(len(batch))))
    if not isinstance(output, Tensor) or output.ndim == 0 or len(output) != count:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(f"the model returned {got} for {count} images: it must return a tensor (batch, ...)")
    if output.is_complex():
        raise InputError(
            "the model returned complex numbers: it must return real ones, e.g. torch.view_as_real of them"
        )
    if not _has_distances(output):
        raise InputError(
            f"the model returned a tensor of {output.dtype} and layout {output.layout}: it must return floating-point numbers, "
            "e.g. logits, in a dense tensor"
        )
    take(OUTPUT, output)


def _has_distances(output: Tensor) -> bool:
    return output.is_floating_point() and output.layout is torch.strided


def _source_of_randomness(seed: int | None, generator: torch.Generator | None) -> torch.Generator | None:
    if seed is None:
        return generator
    if generator is not None:
        raise InputError("seed and generator were both given: they set the same thing, give one")
    if not isinstance(seed, Integral) or isinstance(seed, bool):
        raise InputError(f"seed is {seed!r}: it must be a whole number")
    return generator_for("perturbations", int(seed))


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
    windows of a transformer, are left out. A warning names those that the model does not call, such as a linear map whose weights
    ``nn.MultiheadAttention`` gives to a function.

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
        InputError: what :func:`relative_stability` refuses, of any operation; a model that is no module or has no operations.
    """
    generator = _source_of_randomness(seed, generator)
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
        measured = stability_of_outputs(*look, resamples=resamples, confidence=confidence, generator=generator)
    return StabilityByOperation(measured)


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


def _operations_looked_at(
    model: nn.Module,
    images: ImageSource,
    generator: torch.Generator | None,
    view: View | None = None,
    **settings,
) -> AbstractContextManager["_Look"]:
    module = original(as_module(model))
    check_parts_known(module, "measuring by operation")
    if is_scripted(module):
        raise InputError(f"measuring by operation looks at every one, and {SCRIPTED}")
    return _looked_at(module, images, _Operations(view), generator, **settings)


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
            if isinstance(output, Tensor) and output.ndim > 0 and len(output) == count and _has_distances(output):
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
            _listed(missing),
        )


def _dtype_of_images(model: nn.Module, source: ImageSource) -> torch.dtype:
    """The type of a model's weights; where it has none, nothing is known of what it takes, and a tensor keeps its own."""
    weights = chain(model.parameters(), model.buffers())
    if isinstance(source, Tensor) and not any(tensor.is_floating_point() for tensor in weights):
        return source.dtype
    return dtype_of(model)


class _Look(NamedTuple):
    """The arguments of :func:`measure_distances`."""

    evaluate: Evaluate
    batches: Iterable[Perturbed]
    pilot: Tensor


@contextmanager
def _looked_at(
    model: nn.Module,
    source: ImageSource,
    evaluate: EvaluateBy,
    generator: torch.Generator | None,
    *,
    batch_size: int = 250,
    batch_norm: BatchNorm = "running",
    progress: bool = False,
    **perturbation,
) -> Iterator[_Look]:
    """What a model is measured with, while it is in evaluation mode and normalises as ``batch_norm`` says."""
    if batch_norm == "batch":
        check_parts_known(model, "batch_norm='batch'")
    images = as_images(source, device_of(model), _dtype_of_images(model, source))
    _check_probe(images)
    if generator is None:
        generator = torch.Generator(images.device).manual_seed(int(torch.randint(2**62, ())))
    perturbed = PerturbedImages(images, batch_size=batch_size, generator=generator, **perturbation)
    initialise_lazy_layers(model, images[:PILOT_IMAGES])
    before = generator.clone_state()
    with evaluating(model), torch.no_grad(), progress_line(progress) as show:

        def sets() -> Iterator[Perturbed]:
            batches = perturbed.batches(batch_size, before.clone_state())
            return counted(batches, len(images), show, "batch-norm statistics:")

        with set_normalised(model, batch_norm, sets, len(images)) as forward:
            forward.prepare(*range(len(Perturbed._fields)))
            batches = perturbed.batches(images_per_batch(batch_size), generator)
            yield _Look(
                lambda batch, take: evaluate(model, forward, batch, take),
                counted(batches, len(images), show, "measured"),
                images[:PILOT_IMAGES],
            )
