"""The local linear part of a displacement field: compression, rotation and pure shear.

Source: the November 2021 deck. ``U_ab = d tau_a / d x_b``.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .errors import InputError


class GradientParts(NamedTuple):
    """The parts of a displacement gradient, each ``(..., 2, 2)``; they are orthogonal and add up to it."""

    compression: Tensor
    rotation: Tensor
    pure_shear: Tensor


def decompose_gradient(gradient: Tensor) -> GradientParts:
    """Split displacement gradients into trace, antisymmetric and symmetric traceless part.

    Args:
        gradient: ``(..., 2, 2)``.

    Raises:
        InputError: another shape.
    """
    if gradient.shape[-2:] != (2, 2):
        raise InputError(f"gradient has shape {tuple(gradient.shape)}: it must be (..., 2, 2)")
    trace = gradient.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    compression = trace / 2 * torch.eye(2, dtype=gradient.dtype, device=gradient.device)
    rotation = (gradient - gradient.mT) / 2
    return GradientParts(compression, rotation, (gradient + gradient.mT) / 2 - compression)


def rotation_matrix(norm: float = 1.0) -> Tensor:
    """Return the gradient of a rotation, ``(2, 2)`` float64, with the given Frobenius norm; it turns x towards y."""
    return norm / math.sqrt(2) * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)


def compression_matrix(norm: float = 1.0) -> Tensor:
    """Return the gradient of an expansion, or for a negative ``norm`` of a compression, with that Frobenius norm."""
    return norm / math.sqrt(2) * torch.eye(2, dtype=torch.float64)


def pure_shear_matrix(norm: float = 1.0, angle: float = 0.0) -> Tensor:
    """Return the gradient of a pure shear with the given Frobenius norm, stretching along ``angle`` (radians from x)."""
    cosine, sine = math.cos(2 * angle), math.sin(2 * angle)
    return norm / math.sqrt(2) * torch.tensor([[cosine, sine], [sine, -cosine]], dtype=torch.float64)
