r"""How far a function's output moves under perturbations of its input, against how far outputs of different images lie apart.

.. math:: \frac{\langle |f(\tilde x) - f(x)|^2 \rangle_x}{\langle |f(x) - f(z)|^2 \rangle_{x \ne z}}

Source: arXiv:2105.02468, eqs. 4 and 5.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import InputError


@dataclass(frozen=True)
class Distances:
    """Squared distances between outputs, image by image.

    Attributes:
        moved: ``(M, P)`` float64, between the outputs for each image as it is and under each of M perturbations.
        spread: ``(P,)`` float64, between the output for each image and a fixed centre.
        shift: squared distance between the mean output and that centre.
    """

    moved: Tensor
    spread: Tensor
    shift: float

    @property
    def images(self) -> int:
        return len(self.spread)

    def between_images(self, mean_spread: Tensor) -> Tensor:
        """Mean squared distance between the outputs for two different images, ``2 P / (P - 1)`` times their variance."""
        return 2 * self.images / (self.images - 1) * (mean_spread - self.shift)

    def normalised(self) -> Tensor:
        """Mean squared distance moved over mean squared distance between images, ``(M,)``."""
        return self.moved.mean(1) / self.between_images(self.spread.mean())

    def medians(self) -> Tensor:
        """As :meth:`normalised`, with the median over images of the squared distance moved."""
        return self.moved.quantile(0.5, dim=1) / self.between_images(self.spread.mean())

    @property
    def constant(self) -> bool:
        """Whether the output is the same for every image, up to rounding; not so of outputs that are NaN."""
        mean_spread = float(self.spread.mean())
        return mean_spread - self.shift <= 1e-12 * mean_spread

    def check(self, source: str = "the model") -> None:
        """Raise :class:`InputError`, naming the source of the outputs, where no ratio of distances is defined."""
        if not (self.moved.isfinite().all() and self.spread.isfinite().all()):
            raise InputError(f"{source} gives NaN or infinite outputs: stability is not defined for it")
        if self.constant:
            raise InputError(f"{source} gives the same output for every image: D and G would divide by zero")


class DistanceAccumulator:
    """Gathers :class:`Distances` a batch at a time.

    Holds M + 1 numbers per image and two output-sized vectors, however many images there are.

    Args:
        centre: a rough mean of the outputs, ``(K,)``. The bootstrap resamples squared distances to it: intervals are right
            to first order, and no P x P matrix is needed.
    """

    def __init__(self, centre: Tensor):
        self._centre = centre.double()
        self._sum = torch.zeros_like(self._centre)
        self._per_image: list[Tensor] = []

    def add(self, outputs: Tensor, *perturbed: Tensor) -> None:
        """Take the outputs ``(B, K)`` for images as they are and under each perturbation."""
        exact = torch.promote_types(outputs.dtype, torch.float32)
        outputs = outputs.to(exact)
        # The norm of a difference takes two passes over memory, the sum of its squares three, and fresh memory is slow
        difference, norms = torch.empty_like(outputs), []
        for other in (*perturbed, self._centre.to(exact)):
            torch.sub(other, outputs, out=difference)
            norms.append(torch.linalg.vector_norm(difference, dim=1))
        self._sum += outputs.sum(0).double()
        self._per_image.append(torch.stack(norms).double().square().cpu())

    def result(self) -> Distances:
        """Return the distances of all images taken so far."""
        per_image = torch.cat(self._per_image, dim=1)
        shift = float((self._sum / per_image.shape[1] - self._centre).square().sum())
        return Distances(per_image[:-1], per_image[-1], shift)
