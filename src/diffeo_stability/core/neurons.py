r"""How much neurons move when what is in their receptive field is translated, rotated, expanded or sheared.

.. math:: \alpha_n = \frac{\langle (a_n(\tau x) - a_n(x))^2 \rangle_x}{\langle (a_n(x) - a_n(z))^2 \rangle_{x \ne z}}

for neuron n, its activation :math:`a_n` and the patches x, z that it sees in different images; :math:`\tau` acts about the
centre of its receptive field.

Source: the November 2021 deck, "Is diffeo relative stability achieved also by getting locally invariant to the other linear
transformations?"
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from .bootstrap import bootstrap_means, percentile_interval
from .cropping import LayerView, Place, activations_of
from .deformation import remap
from .gradients import compression_matrix, pure_shear_matrix, rotation_matrix
from .images import Images, batches_of
from .operations import evaluating

Norm = Literal["displacement", "operator"]
PATCH_CHOICES = ("random", "strongest", "top")


class Affine(NamedTuple):
    """Affine displacement fields ``tau(s) = U s + t`` about a centre, one per image.

    Attributes:
        matrices: ``U``, ``(P, 2, 2)``, x first.
        shifts: ``t``, ``(P, 2)``.
    """

    matrices: Tensor
    shifts: Tensor


def unit_transformations(count: int, generator: torch.Generator | None = None) -> dict[str, Affine]:
    """Return translations by 1 and linear fields of Frobenius norm 1, ``count`` of each kind, float64.

    Translations go in random directions, rotations turn either way, compressions are as often expansions, and pure shears
    stretch along random directions.
    """
    angles = 2 * math.pi * torch.rand(2, count, generator=generator, dtype=torch.float64)
    signs = 2.0 * torch.randint(2, (2, count, 1, 1), generator=generator) - 1
    nothing = torch.zeros(count, 2, dtype=torch.float64)
    shears = torch.stack([pure_shear_matrix(1.0, float(angle)) for angle in angles[1]])
    return {
        "translation": Affine(
            torch.zeros(count, 2, 2, dtype=torch.float64), torch.stack((angles[0].cos(), angles[0].sin()), 1)
        ),
        "rotation": Affine(signs[0] * rotation_matrix(), nothing),
        "compression": Affine(signs[1] * compression_matrix(), nothing),
        "pure_shear": Affine(shears, nothing),
    }


def linear_norms(view: LayerView, places: Sequence[Place], size: float, norm: Norm = "displacement") -> Tensor:
    """Return the Frobenius norms of the linear fields that have one size at every place, ``(places,)`` float64.

    Rotations, compressions and pure shears of Frobenius norm u displace a pixel at distance d from the centre by
    ``u d / sqrt(2)``.

    Args:
        size: for ``displacement``, the root-mean-square displacement in pixels over what a place depends on; for ``operator``,
            the norm itself. Places that depend on no pixel but their centre get 0.
    """
    if norm == "operator":
        return torch.full((len(places),), size, dtype=torch.float64)
    squares = [view.offsets(place).square().sum(-1) for place in places]
    spread = torch.stack([square.sum() / max(1, square.numel()) / 2 for square in squares])
    return torch.where(spread > 0, size / spread.sqrt(), 0.0)


@dataclass(frozen=True)
class Responses:
    """Activations of a layer's neurons.

    Attributes:
        still: for the images as they are, ``(P, places, channels)``.
        moved: squared distance to these under each transformation, ``(T, P, places, channels)``.
    """

    still: Tensor
    moved: Tensor


def at_places(activations: Tensor, places: Sequence[Place]) -> Tensor:
    """Return activations ``(P, channels, rows, columns)`` at places, ``(P, places, channels)``."""
    rows, columns = zip(*places, strict=True)
    return activations[:, :, rows, columns].transpose(1, 2)


@torch.no_grad()
def measure_affine(
    network: nn.Module,
    views: Mapping[str, LayerView],
    places: Mapping[str, Sequence[Place]],
    images: Images,
    fields: Sequence[Affine],
    *,
    size: float = 1.0,
    norm: Norm = "displacement",
    batch_size: int = 100,
) -> dict[str, Responses]:
    """Return the activations of the neurons at places of every layer, and how far each affine field about them moves them.

    Each place is fed its receptive field alone, which serves all its channels. Memory holds the result and one batch of images.

    Args:
        images: ``(P, C, n, n)``.
        fields: of Frobenius norm 1, one of each kind per image; at every place all are multiplied by its norm.
        size, norm: of a linear field about the place's centre, see :func:`linear_norms`.
    """
    kept: dict[str, list[Responses]] = {name: [] for name in views}
    scales = {name: linear_norms(view, places[name], size, norm)[:, None, None] for name, view in views.items()}
    with evaluating(network):
        for part, batch in batches_of(images, batch_size):
            still = activations_of(network, views, batch)
            in_part = [Affine(matrices[part], shifts[part]) for matrices, shifts in fields]
            for name, view in views.items():
                here = at_places(still[name], places[name])
                squares = _squares_moved(view, places[name], batch, here, in_part, scales[name])
                kept[name].append(Responses(here, squares))
    return {name: _joined(parts) for name, parts in kept.items()}


def _squares_moved(
    view: LayerView, places: Sequence[Place], images: Tensor, still: Tensor, fields: Sequence[Affine], scale: Tensor
) -> Tensor:
    """Squared distance from the activations ``still`` under each field times the places' scales, ``(T, P, places, channels)``."""
    moved = [
        view.activations(images, places, scale[..., None] * matrices, scale * shifts) for matrices, shifts in fields
    ]
    return torch.stack([(activations.transpose(0, 1) - still).square() for activations in moved])


def _joined(parts: Sequence[Responses]) -> Responses:
    """Responses to all images, from those to each batch of them."""
    return Responses(torch.cat([part.still for part in parts]), torch.cat([part.moved for part in parts], dim=1))


@torch.no_grad()
def measure_responses(
    network: nn.Module,
    views: Mapping[str, LayerView],
    places: Mapping[str, Sequence[Place]],
    images: Images,
    transformations: Mapping[str, Affine],
    *,
    size: float = 1.0,
    norm: Norm = "displacement",
    batch_size: int = 100,
) -> dict[str, Responses]:
    """Return the activations of the neurons at places of every layer, and how far each transformation moves them.

    A translation is the same for every neuron: one pass of the displaced images serves all. The others are fed to each place, see
    :func:`measure_affine`.

    Args:
        images: ``(P, C, n, n)``.
        transformations: of size 1, one of each kind per image, the translations first.
        size, norm: of the transformations, see :func:`linear_norms`; a translation moves by ``size`` pixels.
    """
    translation, *linear = transformations.values()
    measured = measure_affine(network, views, places, images, linear, size=size, norm=norm, batch_size=batch_size)
    squares: dict[str, list[Tensor]] = {name: [] for name in views}
    with evaluating(network):
        for part, batch in batches_of(images, batch_size):
            shift = size * translation.shifts[part].to(batch)
            displaced = remap(batch, shift[:, :, None, None].expand(-1, -1, *batch.shape[2:]))
            for name, activations in activations_of(network, views, displaced).items():
                squares[name].append((at_places(activations, places[name]) - measured[name].still[part]).square())
    return {
        name: Responses(responses.still, torch.cat((torch.cat(squares[name])[None], responses.moved)))
        for name, responses in measured.items()
    }


@dataclass(frozen=True)
class Alphas:
    """What became of a layer's neurons, averaged.

    Attributes:
        values: mean alpha over the neurons that were kept, ``(patch choices, T)``; NaN if there are none.
        resampled: the same over bootstrap samples of the channels, ``(patch choices, T, resamples)``.
        neurons: how many were kept.
        left_out: how many respond too rarely, or always alike.
    """

    values: Tensor
    resampled: Tensor
    neurons: int
    left_out: int


def average_alphas(
    responses: Responses, *, responding: float, top: int, resamples: int, generator: torch.Generator
) -> Alphas:
    """Average alpha over a layer's neurons, for three choices of patches.

    ``random``: over the patches in all images; ``strongest``: on the one to which a neuron responds most; ``top``: over the
    ``top`` ones to which it does. The distance between patches, in the denominator, is always that of all.

    Args:
        responding: neurons with a positive activation on a smaller share of patches are left out.
        resamples, generator: of the bootstrap over channels; a channel keeps its neurons at all places, which are not
            independent of each other.
    """
    still, moved = responses.still.double(), responses.moved.double()
    spread = 2 * still.var(0)
    kept = ((still > 0).double().mean(0) >= responding) & (spread > 0)
    ratios = torch.where(kept, moved / torch.where(kept, spread, 1.0), 0.0)
    strongest = still.topk(min(top, len(still)), dim=0).indices

    def over(picked: Tensor) -> Tensor:
        return ratios.gather(1, picked.expand(len(ratios), *picked.shape)).mean(1)

    chosen = torch.stack((ratios.mean(1), over(strongest[:1]), over(strongest)))
    by_channel = torch.cat((chosen.sum(-2).flatten(0, 1), kept.double().sum(0, keepdim=True)))
    means = bootstrap_means(by_channel.cpu(), resamples, generator)
    shape = chosen.shape[:2]
    neurons = int(kept.sum())
    return Alphas(
        values=(chosen.sum((-2, -1)) / neurons if neurons else torch.full(shape, math.nan)).cpu(),
        resampled=(means[:-1] / means[-1]).unflatten(0, shape),
        neurons=neurons,
        left_out=kept.numel() - neurons,
    )


def interval_of(resampled: Tensor) -> tuple[Tensor, Tensor]:
    """Return the 95% percentile interval over the last axis, without resamples in which nothing was left to average."""
    defined = ~resampled.flatten(0, -2).isnan().any(0)
    if not defined.any():
        nothing = torch.full(resampled.shape[:-1], math.nan)
        return nothing, nothing
    return percentile_interval(resampled[..., defined])
