r"""Stability of a function to smooth deformations (D), to isotropic noise (G), and relative stability R = D / G.

.. math::

    D_f = \frac{\langle |f(\tau x) - f(x)|^2 \rangle_{x, \tau}}{\langle |f(x) - f(z)|^2 \rangle_{x \ne z}}, \qquad
    G_f = \frac{\langle |f(x + \eta) - f(x)|^2 \rangle_{x, \eta}}{\langle |f(x) - f(z)|^2 \rangle_{x \ne z}}, \qquad
    R_f = \frac{D_f}{G_f},

with noise of exactly the norm of the deformation, :math:`|\eta| = \langle |\tau x - x| \rangle`. Below 1, a function is
more stable to smooth deformations than to generic perturbations of the same size.

Source: arXiv:2105.02468, eqs. 4 to 6.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict, Unpack, get_args

import torch
from torch import Tensor, nn

from . import config
from .datasets import Dataset, split_dataset
from .deformation import (
    Interpolation,
    check_images,
    coefficients_for,
    deform_with,
    temperature_from_displacement,
    temperature_range,
)
from .errors import InputError
from .evaluation import error_interval, error_rate
from .operations import evaluating, observing
from .probing import describe, networks_by_state, probe_generator, probe_on

NoiseNorm = Literal["mean", "per_image"]

PILOT_IMAGES = 32


class Estimate(NamedTuple):
    """A measured number, its bootstrap interval over images, and the same number from medians over images.

    For D and G the median replaces the mean in the numerator; for R it does so in both D and G.
    """

    value: float
    low: float
    high: float
    median: float


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


class StabilitySettings(TypedDict, total=False):
    """The keyword arguments of :func:`relative_stability`."""

    displacement: float
    cutoff: int
    interpolation: Interpolation
    noise_norm: NoiseNorm
    batch_size: int
    resamples: int
    confidence: float
    generator: torch.Generator | None


class Perturbed(NamedTuple):
    """A batch of images, deformed, and with noise; each ``(B, C, n, n)``."""

    images: Tensor
    deformed: Tensor
    noisy: Tensor


def perturbed_batches(
    images: Tensor,
    *,
    displacement: float = 1.0,
    cutoff: int = 3,
    interpolation: Interpolation = "bilinear",
    noise_norm: NoiseNorm = "mean",
    batch_size: int = 250,
    generator: torch.Generator | None = None,
) -> Iterator[Perturbed]:
    """Yield the images batch by batch with their deformations and their noise.

    What is drawn depends on the generator's state alone, not on ``batch_size``: with generators of one seed, any two
    networks see the same perturbations. The images are deformed twice, once for the norm of the noise, so that memory
    holds one batch of perturbed images at a time.

    Arguments and errors are those of :func:`relative_stability`.
    """
    if noise_norm not in get_args(NoiseNorm):
        raise InputError(f"noise_norm is {noise_norm!r}: it must be one of {', '.join(get_args(NoiseNorm))}")
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: it must be at least 1")
    if displacement == 0:
        raise InputError("displacement is 0: nothing would be deformed; give a positive number of pixels")
    temperature = temperature_from_displacement(displacement, cutoff, images.shape[-1])
    coefficients = coefficients_for(images, cutoff, temperature, generator)
    step = max(1, batch_size // len(Perturbed._fields))
    batches = list(zip(images.split(step), coefficients.split(step), strict=True))
    norms = torch.cat([_norms(deform_with(x, c, interpolation) - x) for x, c in batches])
    if noise_norm == "mean":
        norms = norms.mean().expand_as(norms)
    for (x, c), norm in zip(batches, norms.split(step), strict=True):
        noise = _unit_noise(x, generator).mul_(norm.to(x.dtype)[:, None, None, None])
        yield Perturbed(x, deform_with(x, c, interpolation), noise.add_(x))


def _norms(images: Tensor) -> Tensor:
    return images.flatten(1).double().norm(dim=1)


def _unit_noise(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Isotropic directions, ``(B, C, n, n)`` of norm 1, drawn image by image: the same ones whatever the batch size."""
    device = generator.device if generator is not None else images.device
    shape, dtype = images.shape[1:], torch.promote_types(images.dtype, torch.float32)
    noise = torch.stack([torch.randn(shape, generator=generator, device=device, dtype=dtype) for _ in images])
    noise = noise.to(images.device)
    return (noise / _norms(noise).to(dtype)[:, None, None, None]).to(images.dtype)


class StabilityAccumulator:
    """Gathers what D, G and R need from a function's outputs, a batch at a time.

    Holds three numbers an image and two output-sized vectors, however many images there are: the mean squared distance
    between images is ``2 P / (P - 1)`` times the summed variance of the outputs, no P x P matrix.

    Args:
        centre: a rough mean of the outputs, ``(K,)``. The bootstrap resamples the squared distances to it.
    """

    def __init__(self, centre: Tensor):
        self._centre = centre.double()
        self._sum = torch.zeros_like(self._centre)
        self._per_image: list[Tensor] = []

    def add(self, outputs: Tensor, deformed: Tensor, noisy: Tensor) -> None:
        """Take the outputs for images, deformed images and noisy images, each ``(B, K)``."""
        exact = torch.promote_types(outputs.dtype, torch.float32)
        outputs, deformed, noisy = outputs.to(exact), deformed.to(exact), noisy.to(exact)
        offset = outputs - self._centre.to(exact)
        differences = (deformed - outputs, noisy - outputs, offset)
        self._sum += offset.sum(0).double()
        self._per_image.append(torch.stack([difference.square().sum(1).double() for difference in differences]))

    def result(self, *, resamples: int, confidence: float, generator: torch.Generator | None) -> RelativeStability:
        """Return D, G and R with percentile bootstrap intervals over images, the three resampled together."""
        per_image = torch.cat(self._per_image, dim=1).cpu()
        count = per_image.shape[1]
        if not per_image.isfinite().all():
            raise InputError("the model gives NaN or infinite outputs: stability is not defined for it")
        # The offset of the true mean from the rough one
        shift = float((self._sum / count).square().sum())
        pairs = 2 * count / (count - 1)

        def ratios(numerators: Tensor, spread: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            distance = pairs * (spread - shift)
            return numerators[0] / distance, numerators[1] / distance, numerators[0] / numerators[1]

        deformed, noisy, spread = per_image.mean(1)
        if not spread - shift > 1e-12 * spread:
            raise InputError("the model gives the same output for every image: D and G would divide by zero")
        if noisy == 0:
            raise InputError("the model's output does not change with noise: R would divide by zero")
        values = ratios(torch.stack((deformed, noisy)), spread)
        medians = ratios(per_image[:2].quantile(0.5, dim=1), spread)
        means = _bootstrap_means(per_image, resamples, generator)
        tails = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=torch.float64)
        intervals = [resampled.quantile(tails) for resampled in ratios(means[:2], means[2])]
        estimates = [
            Estimate(float(value), float(low), float(high), float(median))
            for value, (low, high), median in zip(values, intervals, medians, strict=True)
        ]
        return RelativeStability(*estimates, images=count)


def _bootstrap_means(values: Tensor, resamples: int, generator: torch.Generator | None, chunk: int = 100) -> Tensor:
    """Means of ``values (M, P)`` over ``resamples`` draws of P columns with replacement: ``(M, resamples)``."""
    count = values.shape[1]
    device = generator.device if generator is not None else None
    means = []
    for start in range(0, resamples, chunk):
        draws = (min(chunk, resamples - start), count)
        picked = torch.randint(count, draws, generator=generator, device=device).to(values.device)
        means.append(values[:, picked].mean(-1))
    return torch.cat(means, dim=1)


def _check_probe(images: Tensor) -> None:
    check_images(images)
    if len(images) < 2:
        raise InputError(f"images hold {len(images)}: at least 2 are needed, for the distance between images")
    if not torch.stack(torch.aminmax(images)).isfinite().all():  # NaN spreads to both; a third of isfinite's time
        raise InputError("images contain NaN or infinite values")


@torch.no_grad()
def measure_stability(
    evaluate: Callable[[Tensor, Callable[[str, Tensor], None]], None],
    batches: Iterable[Perturbed],
    pilot: Tensor,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> dict[str, RelativeStability]:
    """Return D, G and R of every output of a function, in one pass over batches of perturbed images.

    Args:
        evaluate: ``evaluate(images, take)`` calls ``take(name, output)`` with each output ``(B, ...)`` for the images.
        batches: images with their perturbations.
        pilot: a few images; the mean of their outputs is where the bootstrap takes squared distances from.
        resamples, confidence, generator: of the bootstrap.

    Raises:
        InputError: outputs that are NaN, infinite, the same for every image, or not changed by noise.
    """
    if resamples < 1:
        raise InputError(f"resamples is {resamples}: it must be at least 1")
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}: it must lie between 0 and 1, e.g. 0.95")
    accumulators: dict[str, StabilityAccumulator] = {}

    def take_pilot(name: str, output: Tensor) -> None:
        accumulators[name] = StabilityAccumulator(output.flatten(1).mean(0, dtype=torch.float64))

    def take(name: str, output: Tensor) -> None:
        accumulators[name].add(*output.flatten(1).chunk(3))

    evaluate(pilot, take_pilot)
    for batch in batches:
        evaluate(torch.cat(batch), take)
    return {
        name: accumulator.result(resamples=resamples, confidence=confidence, generator=generator)
        for name, accumulator in accumulators.items()
    }


def relative_stability(
    model: nn.Module,
    images: Tensor,
    *,
    displacement: float = 1.0,
    cutoff: int = 3,
    interpolation: Interpolation = "bilinear",
    noise_norm: NoiseNorm = "mean",
    batch_size: int = 250,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
) -> RelativeStability:
    """Measure D, G and R of a model's output on images.

    >>> stability = relative_stability(model, images)  # doctest: +SKIP
    >>> stability.relative.value, stability.relative.low, stability.relative.high  # doctest: +SKIP

    Args:
        model: any module from images ``(B, C, n, n)`` to vectors ``(B, ...)``; it is put into evaluation mode meanwhile.
        images: ``(P, C, n, n)``, floating point, P >= 2, on the model's device, scaled as the model expects.
        displacement: typical displacement of the deformations in pixels.
        cutoff: their high-frequency cutoff, at least 2.
        interpolation: ``bilinear``, ``nearest`` or ``gaussian``.
        noise_norm: ``mean``: noise of one norm, the mean of ``|tau x - x|`` over the images; ``per_image``: of each image's
            own ``|tau x - x|``.
        batch_size: images a forward pass holds, a third of them deformed and a third with noise. It bounds memory and
            changes nothing else.
        resamples, confidence: of the bootstrap over images.
        generator: source of randomness; torch's default one if not given.

    Raises:
        InputError: images of a wrong shape, dtype or content, a setting out of its range, or a model whose outputs are
            NaN, the same for every image, or not changed by noise.
    """

    def evaluate(batch: Tensor, take: Callable[[str, Tensor], None]) -> None:
        output = model(batch)
        if not isinstance(output, Tensor) or output.ndim == 0 or len(output) != len(batch):
            got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise InputError(f"the model returned {got} for {len(batch)} images: it must return a tensor (batch, ...)")
        take("output", output)

    measured = _measure_model(
        model,
        evaluate,
        images,
        displacement=displacement,
        cutoff=cutoff,
        interpolation=interpolation,
        noise_norm=noise_norm,
        batch_size=batch_size,
        resamples=resamples,
        confidence=confidence,
        generator=generator,
    )
    return measured["output"]


def stability_by_operation(
    model: nn.Module, images: Tensor, **settings: Unpack[StabilitySettings]
) -> dict[str, RelativeStability]:
    """Measure D, G and R after every named operation of a model, all in one pass over the images.

    Settings, their defaults and the errors are those of :func:`relative_stability`.

    Returns:
        One result a named operation, in the order in which the model executes them.
    """

    def evaluate(batch: Tensor, take: Callable[[str, Tensor], None]) -> None:
        with observing(model, take):
            model(batch)

    return _measure_model(model, evaluate, images, **settings)


def _measure_model(
    model: nn.Module,
    evaluate: Callable[[Tensor, Callable[[str, Tensor], None]], None],
    images: Tensor,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    generator: torch.Generator | None = None,
    **perturbation,
) -> dict[str, RelativeStability]:
    _check_probe(images)
    batches = perturbed_batches(images, generator=generator, **perturbation)
    with evaluating(model):
        return measure_stability(
            evaluate,
            batches,
            images[:PILOT_IMAGES],
            resamples=resamples,
            confidence=confidence,
            generator=generator,
        )


def measure_training(
    folder: str | Path, dataset: Dataset, settings: config.Stability, probe: config.Probe, device: torch.device | str
) -> list[dict]:
    """Measure a training's network at init and trained: one row each of the table ``stability``.

    Args:
        folder: the training's checkpoints.

    Raises:
        InputError: a checkpoint that cannot be read, or a cutoff without a temperature range for these images.
    """
    temperature_range(dataset.image_size, settings.cutoff)
    images = probe_on(dataset, probe, device)
    rows = []
    for state, network, metadata in networks_by_state(folder, device):
        splits = split_dataset(dataset, **metadata["split"])
        measured = relative_stability(
            network,
            images,
            displacement=settings.displacement,
            cutoff=settings.cutoff,
            interpolation=settings.interpolation,
            noise_norm=settings.noise_norm,
            batch_size=probe.batch_size,
            resamples=probe.resamples,
            generator=probe_generator(probe),
        )
        test_error = error_rate(network, splits, splits.test)
        error_low, error_high = error_interval(test_error, len(splits.test))
        rows.append(
            {
                **describe(state, metadata),
                "cutoff": settings.cutoff,
                "delta": settings.displacement,
                **_columns(measured),
                "test_error": test_error,
                "test_error_low": error_low,
                "test_error_high": error_high,
                "train_error": error_rate(network, splits, splits.train),
                "train_size": len(splits.train),
                "epoch": metadata["epoch"],
                "images": measured.images,
            }
        )
    return rows


def _columns(measured: RelativeStability) -> dict[str, float]:
    estimates = {"D": measured.deformation, "G": measured.noise, "R": measured.relative}
    values = {symbol: estimate.value for symbol, estimate in estimates.items()}
    for symbol, estimate in estimates.items():
        values |= {f"{symbol}_low": estimate.low, f"{symbol}_high": estimate.high}
    return values | {f"{symbol}_median": estimate.median for symbol, estimate in estimates.items()}
