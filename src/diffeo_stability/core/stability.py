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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Literal, NamedTuple, TypedDict, Unpack, get_args

import torch
from torch import Tensor, nn

from .bootstrap import bootstrap_means, percentile_interval
from .checks import all_finite, check_not_negative, check_whole, is_finite
from .deformation import (
    Interpolation,
    check_images,
    coefficients_for,
    deform_with,
    displacement_from_temperature,
    overhang_temperature,
    temperature_from_displacement,
)
from .distances import DistanceAccumulator, Distances
from .errors import InputError
from .image_sources import ImageSource, as_images
from .images import Images, batches_of
from .models import Model, as_module, check_parts_known, device_of, dtype_of, initialise_lazy_layers, logits_of
from .operations import evaluating, observing, original
from .progress import counted, progress_line
from .seeds import generator_for
from .set_statistics import BatchNorm, Forward, set_normalised

NoiseNorm = Literal["mean", "per_image"]
View = Callable[[Tensor], Tensor | None]
Take = Callable[[str, Tensor], None]
Evaluate = Callable[[Sequence[Tensor], Take], None]
EvaluateBy = Callable[[nn.Module, Forward, Sequence[Tensor], Take], None]

PILOT_IMAGES = 32
MOST_RESAMPLES = 10**6
REPEATABLE = 1e-3  # of the spread of outputs over images: kernels that sum in another order each time stay far below
logger = logging.getLogger(__name__)
OUTPUT = "output"  # of the whole model, beside the names of its operations


class Estimate(NamedTuple):
    """A measured number, its bootstrap interval over images, and the same number from medians over images.

    For D and G the median replaces the mean in the numerator; for R it does so in both D and G.
    """

    value: float
    low: float
    high: float
    median: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class RelativeStability:
    """What :func:`relative_stability` measured.

    Attributes:
        deformation: D, stability to smooth deformations.
        noise: G, stability to isotropic noise.
        relative: R = D / G, relative stability.
        images: number of images measured.
    """

    deformation: Estimate
    noise: Estimate
    relative: Estimate
    images: int

    def __str__(self) -> str:
        return f"R = {self.relative}, D = {self.deformation}, G = {self.noise}, on {self.images} images"

    def to_dict(self) -> dict[str, float]:
        """Return all numbers by name: ``D``, ``G`` and ``R``, each with ``_low``, ``_high`` and ``_median``, and ``images``."""
        estimates = {"D": self.deformation, "G": self.noise, "R": self.relative}
        numbers = {symbol: estimate.value for symbol, estimate in estimates.items()}
        for symbol, estimate in estimates.items():
            numbers |= {f"{symbol}_low": estimate.low, f"{symbol}_high": estimate.high}
        numbers |= {f"{symbol}_median": estimate.median for symbol, estimate in estimates.items()}
        return {**numbers, "images": self.images}


class StabilityByOperation(dict[str, RelativeStability]):
    """What :func:`stability_by_operation` measured: one result per named operation, in order of execution.

    Printed, it is a table with a line per operation.
    """

    def __str__(self) -> str:
        header = ("operation", "R", "D", "G")
        rows = [(name, *map(str, (found.relative, found.deformation, found.noise))) for name, found in self.items()]
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in (header, *rows))


class PerturbationSettings(TypedDict, total=False):
    """The keyword arguments of :func:`relative_stability` but for the bootstrap and the source of randomness."""

    displacement: float
    cutoff: int
    interpolation: Interpolation
    noise_norm: NoiseNorm
    batch_size: int
    batch_norm: BatchNorm
    progress: bool


class StabilitySettings(PerturbationSettings, total=False):
    """The keyword arguments of :func:`relative_stability`."""

    resamples: int
    confidence: float
    seed: int | None
    generator: torch.Generator | None


class Perturbed(NamedTuple):
    """A batch of images, deformed, and with noise; each ``(B, C, n, n)``."""

    images: Tensor
    deformed: Tensor
    noisy: Tensor


class PerturbedImages:
    """Images with their deformations and their noise.

    What is drawn depends on the generator's state alone, not on the size of batches: with generators of one seed, any two
    networks see the same perturbations. The images are deformed once more for the norm of the noise, so that memory holds one
    batch of perturbed images at a time.

    Arguments and errors are those of :func:`relative_stability`.

    Args:
        deformed: the images as the caller deforms them, one for one, instead of by ``displacement``, ``cutoff`` and
            ``interpolation``.
    """

    def __init__(
        self,
        images: Images,
        *,
        displacement: float = 1.0,
        cutoff: int = 3,
        interpolation: Interpolation = "bilinear",
        noise_norm: NoiseNorm = "mean",
        batch_size: int = 250,
        generator: torch.Generator | None = None,
        deformed: Images | None = None,
    ):
        _check_perturbation(displacement, noise_norm, batch_size)
        self._images = images
        if deformed is None:
            temperature = temperature_from_displacement(displacement, cutoff, images.shape[-1])
            _warn_of_overhangs(displacement, cutoff, images.shape[-1])
            coefficients = coefficients_for(images, cutoff, temperature, generator)
            self._deform = lambda x, part: deform_with(x, coefficients[part], interpolation)
        else:
            self._deform = lambda _x, part: deformed[part]
        norms = [self._displaced_norms(x, part) for part, x in batches_of(images, _images_per_batch(batch_size))]
        self._norms = torch.cat(norms)
        if noise_norm == "mean":
            self._norms = self._norms.mean().expand_as(self._norms)

    def batches(self, batch_size: int, generator: torch.Generator | None) -> Iterator[Perturbed]:
        """Yield them batch by batch, noise drawn from a generator."""
        for part, x in batches_of(self._images, batch_size):
            noise = unit_noise(x, generator).mul_(self._norms[part].to(x.dtype)[:, None, None, None])
            yield Perturbed(x, self._deform(x, part), noise.add_(x))

    def _displaced_norms(self, images: Tensor, part: slice) -> Tensor:
        """How far each image of a part is moved by its field, ``|tau x - x|``: float64 ``(B,)``."""
        _check_finite(images)
        return norms_of(self._deform(images, part) - images)


def perturbed_batches(
    images: Images, *, batch_size: int = 250, generator: torch.Generator | None = None, **perturbation
) -> Iterator[Perturbed]:
    """Yield the images batch by batch with their deformations and their noise, a third of ``batch_size`` of each.

    Arguments and errors are those of :class:`PerturbedImages`.
    """
    perturbed = PerturbedImages(images, batch_size=batch_size, generator=generator, **perturbation)
    return perturbed.batches(_images_per_batch(batch_size), generator)


def _images_per_batch(batch_size: int) -> int:
    return max(1, batch_size // len(Perturbed._fields))


def _check_perturbation(displacement: float, noise_norm: str, batch_size: int) -> None:
    if noise_norm not in get_args(NoiseNorm):
        raise InputError(f"noise_norm is {noise_norm!r}: it must be one of {', '.join(get_args(NoiseNorm))}")
    check_whole("batch_size", batch_size, 1)
    check_not_negative("displacement", displacement)
    if displacement == 0:
        raise InputError("displacement is 0: nothing would be deformed; give a positive number of pixels")


def _warn_of_overhangs(displacement: float, cutoff: int, image_size: int) -> None:
    largest = displacement_from_temperature(overhang_temperature(cutoff), cutoff, image_size)
    if displacement > largest:
        logger.warning(
            "displacement %g is beyond %.3g pixels, up to which fields of cutoff %d are diffeomorphisms of %d x %d pixels: "
            "they fold the image over itself",
            *(displacement, largest, cutoff, image_size, image_size),
        )


def norms_of(images: Tensor) -> Tensor:
    """Return the Euclidean norm of each image, float64 ``(B,)``."""
    return images.flatten(1).double().norm(dim=1)


def _check_finite(images: Tensor) -> None:
    if not all_finite(images):
        raise InputError("images contain NaN or infinite values")


def unit_noise(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return isotropic directions, ``(B, C, n, n)`` of norm 1, drawn image by image: the same whatever the batch size."""
    device = generator.device if generator is not None else images.device
    shape, dtype = images.shape[1:], torch.promote_types(images.dtype, torch.float32)
    noise = torch.stack([torch.randn(shape, generator=generator, device=device, dtype=dtype) for _ in images])
    noise = noise.to(images.device)
    return (noise / norms_of(noise).to(dtype)[:, None, None, None]).to(images.dtype)


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
            raise InputError(f"{_named(name)} runs for some images and not for others: it cannot be measured")

    images = 0
    for batch in batches:
        evaluate(batch, take)
        images += len(batch[0])
    measured = {name: accumulator.result() for name, accumulator in accumulators.items()}
    for name, distances in measured.items():
        if distances.images != images:
            raise InputError(
                f"{_named(name)} gave outputs for {distances.images} of {images} images: it cannot be measured"
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
                _named(name),
            )
            return


def _named(name: str) -> str:
    return "the model" if name == OUTPUT else f"operation {name}"


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
        name: _stability(_named(name), of_output, resampled, confidence)
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
                intervals.append(f"{symbol} of {_named(name)}")
            if not math.isfinite(estimate.median):
                medians.append(f"{symbol} of {_named(name)}")
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
        images: ``(P, C, n, n)``, floating point, P >= 2, scaled as the model expects: a tensor, which goes to the model's device;
            an array, which goes to its device and dtype; an iterable of batches, such as a DataLoader, which does so too, is read
            once and held in memory (a batch is a tensor, or a tuple, list or dictionary whose first tensor is the images);
            or anything that gives a tensor on the model's device when sliced and has its ``shape``, ``dtype`` and ``device``.
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
    take(OUTPUT, output)


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
    windows of a transformer, are left out.

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
    return _looked_at(module, images, partial(_take_operations, view), generator, **settings)


def _take_operations(
    view: View | None, model: nn.Module, forward: Forward, batch: Sequence[Tensor], take: Take
) -> None:
    """Evaluate a model, taking the output of every named operation that gives one per image, or a view of it."""
    count = sum(map(len, batch))

    def take_images(name: str, output: Tensor) -> None:
        if isinstance(output, Tensor) and output.ndim > 0 and len(output) == count and not output.is_complex():
            seen = output if view is None else view(output)
            if seen is not None:
                take(name, seen)

    with observing(model, take_images):
        forward(torch.cat(batch), *range(len(batch)))


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
    images = as_images(source, device_of(model), dtype_of(model))
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
            batches = perturbed.batches(_images_per_batch(batch_size), generator)
            yield _Look(
                lambda batch, take: evaluate(model, forward, batch, take),
                counted(batches, len(images), show, "measured"),
                images[:PILOT_IMAGES],
            )
