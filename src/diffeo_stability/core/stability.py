r"""Stability of a function to smooth deformations (D), to isotropic noise (G), and relative stability R = D / G.

.. math::

    D_f = \frac{\langle |f(\tau x) - f(x)|^2 \rangle_{x, \tau}}{\langle |f(x) - f(z)|^2 \rangle_{x \ne z}}, \qquad
    G_f = \frac{\langle |f(x + \eta) - f(x)|^2 \rangle_{x, \eta}}{\langle |f(x) - f(z)|^2 \rangle_{x \ne z}}, \qquad
    R_f = \frac{D_f}{G_f},

with noise of exactly the norm of the deformation, :math:`|\eta| = \langle |\tau x - x| \rangle`. Below 1, a function is
more stable to smooth deformations than to generic perturbations of the same size.

Source: arXiv:2105.02468, eqs. 4 to 6.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .deformation import Interpolation
from .errors import InputError
from .estimates import check_bootstrap, stability_of
from .image_sources import ImageSource
from .look import looked_at, source_of_randomness
from .models import Model, as_module, logits_of
from .outputs import OUTPUT, Take, has_distances, measure_distances
from .perturbations import NoiseNorm, PerturbationSettings
from .results import RelativeStability
from .set_statistics import BatchNorm, Forward


class StabilitySettings(PerturbationSettings, total=False):
    """The keyword arguments of :func:`relative_stability`."""

    resamples: int
    confidence: float
    seed: int | None
    generator: torch.Generator | None


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
    generator = source_of_randomness(seed, generator)
    check_bootstrap(resamples, confidence)
    with looked_at(
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
        distances = measure_distances(*look)
    return stability_of(distances, resamples=resamples, confidence=confidence, generator=generator)[OUTPUT]


def _take_output(_model: nn.Module, forward: Forward, batch: Sequence[Tensor], take: Take) -> None:
    """Evaluate a model, taking its output."""
    count = sum(map(len, batch))
    output = logits_of(forward(torch.cat(batch), *range(len(batch))))
    if isinstance(output, Tensor) and output.is_nested:
        raise InputError("the model returned a nested tensor: it must return one of equal lengths (batch, ...)")
    if not isinstance(output, Tensor) or output.ndim == 0 or len(output) != count:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(f"the model returned {got} for {count} images: it must return a tensor (batch, ...)")
    if output.is_complex():
        raise InputError(
            "the model returned complex numbers: it must return real ones, e.g. torch.view_as_real of them"
        )
    if not has_distances(output):
        raise InputError(
            f"the model returned a tensor of {output.dtype} and layout {output.layout}: it must return floating-point numbers, "
            "e.g. logits, in a dense tensor"
        )
    take(OUTPUT, output)
