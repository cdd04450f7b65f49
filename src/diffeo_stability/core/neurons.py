r"""How much neurons move when what is in their receptive field is translated, rotated, expanded or sheared.

.. math:: \alpha_n = \frac{\langle (a_n(\tau x) - a_n(x))^2 \rangle_x}{\langle (a_n(x) - a_n(z))^2 \rangle_{x \ne z}}

for neuron n, its activation :math:`a_n` and the patches x, z that it sees in different images; :math:`\tau` acts about the
centre of its receptive field.

Source: the November 2021 deck, "Is diffeo relative stability achieved also by getting locally invariant to the other linear
transformations?"
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .bootstrap import bootstrap_means
from .cropping import LayerView, Place, activations_of
from .deformation import remap
from .gradients import compression_matrix, pure_shear_matrix, rotation_matrix
from .images import Images, batches_of
from .operations import evaluating

PATCH_CHOICES = ("random", "strongest", "top")
SECANT_STEPS = 4
ALIKE = 1e-3  # of a neuron's range of activations


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


def linear_norms(view: LayerView, places: Sequence[Place], size: float, weights: Tensor | None = None) -> Tensor:
    """Return the Frobenius norms of the linear fields of one root-mean-square displacement at every place, ``(places,)`` float64.

    Rotations, compressions and pure shears of Frobenius norm u displace a pixel at distance d from the centre by
    ``u d / sqrt(2)``.

    Args:
        size: root-mean-square displacement in pixels over what a place depends on. Places that depend on no pixel but their
            centre get 0.
        weights: of all pixels in the effective receptive field of each place, ``(places, n, n)``. If not given, all pixels that
            a place depends on weigh the same.
    """
    ones = torch.ones(view.rows.size, view.columns.size, dtype=torch.float64)
    each = ones.expand(len(places), -1, -1) if weights is None else weights.to(ones)
    return torch.stack([_linear_norm(view, place, size, here) for place, here in zip(places, each, strict=True)])


def _linear_norm(view: LayerView, place: Place, size: float, weights: Tensor) -> Tensor:
    rows, columns = (slice(crop.start, crop.stop) for crop in view.crops(place))
    squares, here = view.offsets(place).square().sum(-1), weights[rows, columns]
    spread = (here * squares).sum() / here.sum().clamp_min(torch.finfo(here.dtype).tiny) / 2
    return torch.where(spread > 0, size / spread.sqrt(), 0.0)


def changing_norms(
    view: LayerView,
    places: Sequence[Place],
    images: Images,
    transformations: Mapping[str, Affine],
    size: float,
    batch_size: int = 100,
) -> Tensor:
    r"""Return the Frobenius norms of linear fields that change what places see as much as translations do, ``(L,)`` float64.

    As much: by the same :math:`\langle |\tau x - x| \rangle`, a mean over images and places of a layer, all of whose places get
    the same field.

    Args:
        images: ``(P, C, n, n)``.
        transformations: of size 1, the translations first, and L linear ones.
        size: of the translations, in pixels.
    """
    translation, *linear = transformations.values()
    shape = (len(places), len(images))

    def change_by(field: Affine, norm: float) -> float:
        matrices, shifts = (norm * part.expand(len(places), *part.shape) for part in field)
        batches = batches_of(images, batch_size)
        changes = (view.changes(batch, places, matrices[:, part], shifts[:, part]) for part, batch in batches)
        return sum(float(some.double().sum()) for some in changes) / math.prod(shape)

    start = float(linear_norms(view, places, size).mean())
    target = change_by(translation, size)
    return torch.tensor([_solve_power_law(partial(change_by, field), target, start) for field in linear]).double()


def _solve_power_law(function: Callable[[float], float], target: float, start: float) -> float:
    """Return where an increasing function, nearly a power law, has a value: by the secant method on logarithms.

    Where the value, or that at the start, is 0, there is no such place: the start is returned.
    """
    value = function(start)
    if not (target > 0 and value > 0):
        return start
    place, exponent = start, 1.0
    for _ in range(SECANT_STEPS):
        following = place * (target / value) ** exponent
        at_following = function(following)
        if math.isclose(at_following, target, rel_tol=1e-6) or at_following in (0.0, value):
            return following
        exponent = math.log(following / place) / math.log(at_following / value)
        # A change grows with the field, at most in proportion to it; slower where the field takes pixels far away
        exponent = min(max(exponent, 0.5), 3.0)
        place, value = following, at_following
    return place * (target / value) ** exponent


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
    norms: Mapping[str, Tensor],
    *,
    batch_size: int = 100,
) -> dict[str, Responses]:
    """Return the activations of the neurons at places of every layer, and how far each affine field about them moves them.

    Each place is fed its receptive field alone, which serves all its channels. Memory holds the result and one batch of images.

    Args:
        images: ``(P, C, n, n)``.
        fields: of Frobenius norm 1, one of each kind per image.
        norms: what they are multiplied by at every place, by layer: ``(fields, places)``.
    """
    kept: dict[str, list[Responses]] = {name: [] for name in views}
    with evaluating(network):
        for part, batch in batches_of(images, batch_size):
            still = activations_of(network, views, batch)
            in_part = [Affine(matrices[part], shifts[part]) for matrices, shifts in fields]
            for name, view in views.items():
                here = at_places(still[name], places[name])
                kept[name].append(
                    Responses(here, _squares_moved(view, places[name], batch, here, in_part, norms[name]))
                )
    return {name: _joined(parts) for name, parts in kept.items()}


def _squares_moved(
    view: LayerView, places: Sequence[Place], images: Tensor, still: Tensor, fields: Sequence[Affine], norms: Tensor
) -> Tensor:
    """Squared distance from the activations ``still`` under each field times its norms, ``(T, P, places, channels)``."""
    moved = [
        view.activations(images, places, norm[:, None, None, None] * matrices, norm[:, None, None] * shifts)
        for (matrices, shifts), norm in zip(fields, norms, strict=True)
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
    norms: Mapping[str, Tensor] | None = None,
    batch_size: int = 100,
) -> dict[str, Responses]:
    """Return the activations of the neurons at places of every layer, and how far each transformation moves them.

    A translation is the same for every neuron: one pass of the displaced images serves all. The others are fed to each place, see
    :func:`measure_affine`.

    Args:
        images: ``(P, C, n, n)``.
        transformations: of size 1, one of each kind per image: the translations first, and L linear ones.
        size: pixels by which translations move.
        norms: Frobenius norms of the linear ones at every place, by layer, each in several ways: ``(ways, L, places)``. If not
            given, the one way that :func:`linear_norms` has of displacing as much as translations do.

    Returns:
        By layer; in ``moved`` the translation, and then for each way the linear ones.
    """
    translation, *linear = transformations.values()
    if norms is None:
        norms = {
            name: linear_norms(view, places[name], size).expand(1, len(linear), -1) for name, view in views.items()
        }
    ways = len(next(iter(norms.values())))
    flat = {name: of_layer.flatten(0, 1) for name, of_layer in norms.items()}
    measured = measure_affine(network, views, places, images, linear * ways, flat, batch_size=batch_size)
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
        values: alpha over the neurons that were kept, ``(patch choices, T)``; NaN if there are none.
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
    ``top`` ones to which it does. What neurons move by is divided by how much they differ between patches of the same choice:
    of ``random`` all; of the others the ``top`` ones, as a single patch has no spread. Neurons count in units of their spread
    over all patches, and both sides of the ratio are means over the layer: alpha of all patches is the mean of the neurons'
    own, and no neuron whose strongest patches are nearly alike to it decides the layer's.

    Args:
        responding: neurons whose activation is positive, or is another than usual (the median), on a smaller share of patches are
            left out: of one that is always on where images are blank, a single stroke would decide.
        top: how many patches, at least 2.
        resamples, generator: of the bootstrap over channels; a channel keeps its neurons at all places, which are not
            independent of each other.
    """
    still, moved = responses.still.double(), responses.moved.double()
    spread = 2 * still.var(0)
    kept = ((still > 0).double().mean(0) >= responding) & (_share_unlike_usual(still) >= responding) & (spread > 0)
    unit = torch.where(kept, spread, 1.0)
    ratios = torch.where(kept, moved / unit, 0.0)
    responded, strongest = still.topk(min(top, len(still)), dim=0)
    of_top = torch.where(kept, 2 * responded.var(0) / unit, 0.0)

    def over(picked: Tensor) -> Tensor:
        return ratios.gather(1, picked.expand(len(ratios), *picked.shape)).mean(1)

    chosen = torch.stack((ratios.mean(1), over(strongest[:1]), over(strongest)))
    spreads = torch.stack((kept.double(), of_top, of_top))
    shape = chosen.shape[:2]
    by_channel = torch.cat((chosen.sum(-2).flatten(0, 1), spreads.sum(-2))).cpu()
    means = bootstrap_means(by_channel, resamples, generator)
    values, resampled = (
        numbers[: -len(spreads)].unflatten(0, shape) / numbers[-len(spreads) :, None]
        for numbers in (by_channel.mean(1), means)
    )
    neurons = int(kept.sum())
    return Alphas(values, resampled, neurons, kept.numel() - neurons)


def _share_unlike_usual(still: Tensor) -> Tensor:
    """On which share of patches each neuron's activation differs from its median by more than kernels round."""
    # Sorted, as a GPU's median is not among torch's deterministic operations
    median = still.sort(0).values[(len(still) - 1) // 2]
    distance = (still - median).abs()
    return (distance > ALIKE * (still.amax(0) - still.amin(0))).double().mean(0)
