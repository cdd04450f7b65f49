"""Relative stability as a metric that is followed during training, with the methods of torchmetrics.

Where torchmetrics is installed, it is one of its metrics, and can stand in a ``MetricCollection``; it does not need it.
"""

import torch
from torch import Tensor

from .core.checks import check_images, check_whole
from .core.deformation import Interpolation
from .core.errors import InputError
from .core.estimates import check_bootstrap
from .core.look import check_settings, source_of_randomness
from .core.models import Model, as_module
from .core.perturbations import NoiseNorm
from .core.results import RelativeStability
from .core.set_statistics import BatchNorm
from .core.stability import StabilitySettings, relative_stability

try:
    from torchmetrics import Metric
except ImportError:

    class Metric:
        """What is used of torchmetrics' class of this name."""

        def __init__(self, **_settings):
            self._states: list[str] = []

        def add_state(self, name: str, default: list) -> None:
            self._states.append(name)
            setattr(self, name, default)

        def reset(self) -> None:
            for name in self._states:
                setattr(self, name, [])


class RelativeStabilityMetric(Metric):
    """R of a model as it is at the moment, on images that were collected before.

    >>> metric = RelativeStabilityMetric(model)  # doctest: +SKIP
    >>> metric.update(images)  # once, or batch by batch  # doctest: +SKIP
    >>> r = metric.compute()  # after every epoch  # doctest: +SKIP

    ``update`` keeps the first images that it is given, and ``compute`` measures the model on them: the same images, deformations
    and noise every time, so that only the model makes a difference. Neither touches torch's default generator, gradients or the
    mode of the model. Of several processes each measures on its own images.

    Args:
        model: as :func:`relative_stability` takes it.
        images: how many images are kept, at least 2; they lie in the CPU's memory.
        displacement, cutoff, interpolation, noise_norm, batch_norm, batch_size, resamples, confidence, seed, progress: as
            :func:`relative_stability` takes them.

    Raises:
        InputError: ``images`` below 2, a model that cannot be called, or a setting out of its range.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = True

    def __init__(
        self,
        model: Model,
        *,
        images: int = 500,
        displacement: float = 1.0,
        cutoff: int = 3,
        interpolation: Interpolation = "bilinear",
        noise_norm: NoiseNorm = "mean",
        batch_norm: BatchNorm = "running",
        batch_size: int = 250,
        resamples: int = 1000,
        confidence: float = 0.95,
        seed: int = 0,
        progress: bool = False,
    ):
        # The model changes between two calls of compute, of which nothing tells
        super().__init__(compute_with_cache=False, sync_on_compute=False)
        check_whole("images", images, 2)
        # Not only after an epoch
        check_settings(
            as_module(model),
            batch_norm,
            displacement=displacement,
            cutoff=cutoff,
            interpolation=interpolation,
            noise_norm=noise_norm,
            batch_size=batch_size,
        )
        check_bootstrap(resamples, confidence)
        source_of_randomness(seed, None)
        self._model = (model,)  # in a tuple, so that it is no part of the metric, as which it would be saved and moved
        self._most = images
        self._settings: StabilitySettings = {
            "displacement": displacement,
            "cutoff": cutoff,
            "interpolation": interpolation,
            "noise_norm": noise_norm,
            "batch_norm": batch_norm,
            "batch_size": batch_size,
            "resamples": resamples,
            "confidence": confidence,
            "seed": seed,
            "progress": progress,
        }
        self.add_state("kept", default=[])

    def update(self, images: Tensor) -> None:
        """Keep images ``(B, C, n, n)``, floating point and scaled as the model expects, up to as many as are wanted.

        Raises:
            InputError: no tensor, or of another shape or dtype.
        """
        if not isinstance(images, Tensor):
            raise InputError(
                f"images are of type {type(images).__name__}: update takes a tensor (batch, channels, n, n)"
            )
        check_images(images)
        room = self._most - sum(map(len, self.kept))
        if room > 0:
            self.kept.append(images[:room].detach().cpu().clone())

    def compute(self) -> Tensor:
        """Return R of the model as it is now, a float64 scalar; see :meth:`measure`."""
        return torch.tensor(self.measure().relative.value, dtype=torch.float64)

    def measure(self) -> RelativeStability:
        """Return D, G and R of the model as it is now, with their intervals.

        Raises:
            InputError: no images were kept, or :func:`relative_stability` refuses them, the model or a setting.
        """
        if not self.kept:
            raise InputError("no images to measure on: call update(images) before")
        return relative_stability(self._model[0], self.kept, **self._settings)
