r"""One hidden layer, trained whole or only its read-out, and how the read-out pools.

The read-out reads the hidden activations :math:`a_c(s)` of channel c at place s of the pooled grid with weights
:math:`W_{kc}(s)`, one set per class k. It pools over space if its weights are smooth over s, and over channels if it reads few
combinations of them. A read-out of averages over all places has a grid of one: it pools over channels and over nothing else, so
that only there training the read-out alone is training how channels are pooled.

Source: the November 2021 deck, "Take one hidden layer CNN or LCN. Can either train the whole net or just the FC layer. [...] if
only FC layer is trained, the net can only learn channel pooling and not spatial pooling. Still, the net can still change spatial
pooling by select the channels that are more low frequency".
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from scipy.fft import dctn
from torch import Tensor, nn

from ...core.bootstrap import percentile_interval, resample_counts
from ...core.errors import InputError
from ...core.images import Images
from ...core.operations import evaluating, named_operations
from ...core.perturbations import perturbed_batches
from ...core.seeds import generator_for
from ...data.datasets import Dataset
from ...networks.architectures.one_hidden_layer import LocallyConnected2d
from ..measuring import describe, networks_by_state, probe_generator, probe_on, stability_rows
from ..registry import Given, Measured
from ..settings import Probe
from ..stability import Stability

CHUNK = 2**20  # numbers held at once by a permutation test
HIDDEN = [nn.Conv2d], [LocallyConnected2d]
READ_OUT = [nn.ReLU, nn.Linear], [nn.ReLU, nn.MaxPool2d, nn.Linear], [nn.ReLU, nn.AdaptiveAvgPool2d, nn.Linear]


class HiddenLayer(NamedTuple):
    """The weights of a network of one hidden layer, in double precision.

    Attributes:
        filters: ``(C, G, in, k, k)`` of each channel, with G = 1 where all places share them and else one for each place.
        read_out: ``(classes, C, rows, columns)``; one row and one column where it reads averages over all places.
    """

    filters: Tensor
    read_out: Tensor

    @property
    def grid(self) -> int:
        """Places along a side of what is read."""
        return self.read_out.shape[-1]


def check_network(network: nn.Module, name: str, _dataset: Dataset) -> None:
    """Raise :class:`InputError` if a network is none of one hidden layer."""
    hidden_layer_of(network, name)


def hidden_layer_of(network: nn.Module, name: str) -> HiddenLayer:
    """Return the weights of a network of one hidden layer.

    Args:
        name: of the network, for the error.

    Raises:
        InputError: it is not a convolution or locally connected layer with square filters, a ReLU, a pooling or none, and a
            linear read-out of all channels at all places.
    """
    operations = list(named_operations(network).values())
    kinds = [type(operation) for operation in operations]
    if kinds[:1] in HIDDEN and kinds[1:] in READ_OUT:
        layer, read_out = operations[0], operations[-1]
        weight = layer.weight.detach().cpu().double()
        channels, height, width = weight.shape[0], *weight.shape[2:4]
        places = read_out.in_features // channels
        size = math.isqrt(places)
        if height == width and size**2 * channels == read_out.in_features:
            return HiddenLayer(
                filters=weight.flatten(4).movedim(-1, 1) if weight.ndim > 4 else weight[:, None],
                read_out=read_out.weight.detach().cpu().double().unflatten(1, (channels, size, size)),
            )
    found = ", ".join(kind.__name__ for kind in kinds[:4]) + (", ..." if len(kinds) > 4 else "")
    raise InputError(
        f"{name} is no network of one hidden layer with a read-out of all its places (it has {found or 'no operations'}): "
        "take it out of hidden_layer_pooling.networks"
    )


def laplacian_energy(maps: Tensor) -> Tensor:
    r"""Return :math:`w \cdot L w`, the sum of squared differences of neighbours, of maps ``(..., k, k)``.

    Divided by :math:`|w|^2` it is the mean eigenvalue of the free-boundary graph Laplacian L over the map's energy: 0 for a
    constant, at most 8, and 4 (1 - 1 / k) for white noise.
    """
    return maps.diff(dim=-1).square().sum((-2, -1)) + maps.diff(dim=-2).square().sum((-2, -1))


class SpatialSpectrum(NamedTuple):
    """Energy over the Laplacian components of a grid, by wavenumber.

    Attributes:
        wavenumber: the middle of each bin, radians per place of the grid; 0 is the constant alone.
        components: how many eigenvectors a bin holds.
        energy: per component, relative to the mean over all components: 1 everywhere for white noise.
    """

    wavenumber: Tensor
    components: Tensor
    energy: Tensor


def spatial_spectrum(maps: Tensor) -> SpatialSpectrum:
    r"""Return the energy of maps over the eigenvectors of the graph Laplacian on their grid.

    The eigenvectors are those of the discrete cosine transform. They are gathered by :math:`\sqrt\lambda`, which is the
    wavenumber where that is small, in bins of :math:`\pi / n`; no eigenspace is divided.

    Args:
        maps: ``(..., n, n)``; energies are means over them.
    """
    size = maps.shape[-1]
    components = torch.from_numpy(dctn(maps.cpu().double().numpy(), axes=(-2, -1), norm="ortho"))
    energies = components.square().reshape(-1, size**2).mean(0)
    modes = torch.arange(size, dtype=torch.float64)
    eigenvalues = 2 - 2 * torch.cos(math.pi * modes / size)
    # Equal eigenvalues may differ in their last digit, which must not divide them at the edge of a bin
    steps = (eigenvalues[:, None] + eigenvalues).flatten().sqrt() * size / math.pi
    bins = (steps + 1e-9).round().long()
    counts = torch.bincount(bins)
    sums = torch.bincount(bins, weights=energies)
    filled = counts > 0
    wavenumber = torch.arange(len(counts), dtype=torch.float64) * math.pi / size
    return SpatialSpectrum(wavenumber[filled], counts[filled], (sums / counts / energies.mean())[filled])


def channel_matrix(read_out: Tensor) -> Tensor:
    r"""Return :math:`M_{cd} = \sum_{k,s} W_{kc}(s) W_{kd}(s)` of weights ``(classes, C, rows, columns)``: ``(C, C)``.

    On its diagonal stand the energies on each channel. Its eigenvalues are those on orthogonal combinations of channels, as
    the Laplacian components are for patterns in space: a read-out that adds up all channels in the same way at every place
    has one that is not 0.
    """
    by_channel = read_out.transpose(0, 1).flatten(1)
    return by_channel @ by_channel.T


def participation_ratio(energies: Tensor) -> float:
    r"""Return :math:`(\sum_i e_i)^2 / \sum_i e_i^2`: how many of the entries share the energy, from 1 to their number."""
    return float(energies.sum().square() / energies.square().sum())


class Selection(NamedTuple):
    """Whether the read-out prefers smooth filters.

    Attributes:
        ratio: mean Laplacian eigenvalue of the filters as the read-out weights them, over that of equal weights; below 1,
            smoother filters are read more strongly.
        null_low, null_high: 95% of the ratios with filters shuffled among the channels.
        p_value: one-sided, of a ratio at most as high.
    """

    ratio: float
    null_low: float
    null_high: float
    p_value: float


def smooth_filter_selection(
    energies: Tensor, eigenvalues: Tensor, *, permutations: int, generator: torch.Generator
) -> Selection:
    """Compare the smoothness of the filters that the read-out reads with that of all filters.

    Channels are compared at a place, never places with each other: at each one, the null shuffles the channels' filters.

    Args:
        energies: of the read-out's weights on each channel, ``(C, G)`` for G places (1: all places together).
        eigenvalues: mean Laplacian eigenvalue of each channel's filter there, ``(C, G)``.
    """
    unselected = (energies.sum(0) * eigenvalues.mean(0)).sum()
    ratio = float((energies * eigenvalues).sum() / unselected)
    channels, places = energies.shape
    step = max(1, CHUNK // energies.numel())
    chunks = []
    for start in range(0, permutations, step):
        count = min(step, permutations - start)
        order = torch.rand(count, places, channels, generator=generator).argsort(-1)
        shuffled = eigenvalues.T.expand(count, -1, -1).gather(-1, order)
        chunks.append((shuffled * energies.T).sum((1, 2)) / unselected)
    null = torch.cat(chunks)
    low, high = percentile_interval(null)
    # A shuffle that changes nothing may differ from the observed one by rounding; filters of one pixel give NaN for all
    rougher = int((null > ratio + 1e-9).sum())
    return Selection(ratio, float(low), float(high), (1 + permutations - rougher) / (1 + permutations))


def common_share(moves: Tensor, counts: Tensor) -> Tensor:
    r"""Return which share of the outputs' mean squared movement all images have in common.

    .. math:: \langle d_x \cdot d_z \rangle_{x \ne z} / \langle |d_x|^2 \rangle_x, \qquad d_x = f(x + \eta) - f(x)

    It is 1 if the perturbation moves the output by the same vector whatever the image, and 0 on average for independent
    movements.

    Args:
        moves: d of each image, ``(P, classes)``.
        counts: how often each image stands in a sample, ``(samples, P)``; pairs of an image with a copy of itself do not
            count.

    Returns:
        ``(samples,)``.
    """
    squares = moves.square().sum(1)
    products = (counts @ moves).square().sum(1) - counts.square() @ squares
    pairs = counts.sum(1).square() - counts.square().sum(1)
    return products / pairs / (counts @ squares / counts.sum(1))


@torch.no_grad()
def output_moves(network: nn.Module, images: Images, stability: Stability, probe: Probe) -> dict[str, Tensor]:
    """Return how the outputs move under the perturbations of D and of G, the ones that stability is measured with.

    Returns:
        ``D`` and ``G``: ``(P, classes)`` float64.
    """
    moves = {"D": [], "G": []}
    batches = perturbed_batches(
        images, **stability.measured_with(), batch_size=probe.batch_size, generator=probe_generator(probe)
    )
    with evaluating(network):
        for batch in batches:
            output, deformed, noisy = network(torch.cat(batch)).double().chunk(3)
            moves["D"].append((deformed - output).cpu())
            moves["G"].append((noisy - output).cpu())
    return {symbol: torch.cat(parts) for symbol, parts in moves.items()}


def _estimate(statistic: Callable[[Tensor], Tensor], items: int, probe: Probe) -> tuple[float, float, float]:
    """A statistic of how often each item counts, ``(samples, items) -> (samples,)``, and its 95% bootstrap interval."""
    value = statistic(torch.ones(1, items, dtype=torch.float64))
    low, high = percentile_interval(
        statistic(resample_counts(items, probe.resamples, generator_for("hidden layer", probe.seed)))
    )
    return float(value), float(low), float(high)


def _columns(name: str, estimate: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), estimate, strict=True))


def pooling_columns(layer: HiddenLayer, probe: Probe) -> dict[str, float]:
    """Return one-number measures of how a network of one hidden layer pools, as columns of a table.

    - ``grid``: places along a side of what the read-out reads.
    - ``spatial_eigenvalue``: mean Laplacian eigenvalue of the read-out's weights over the grid of places, with its interval
      from a bootstrap over classes; NaN for a grid of one place.
    - ``effective_channels``: how many channels share the read-out's energy.
    - ``effective_combinations``: how many orthogonal combinations of channels do. A locally connected layer's channel has
      other filters at every place, so that neither of the two can tell channels apart.
    - ``filter_eigenvalue``: mean Laplacian eigenvalue of the hidden layer's filters, over channels and places.
    - ``selection``: :class:`Selection`, with ``selection_null_low``, ``selection_null_high`` and ``selection_p_value``.

    Effective numbers have no interval: a bootstrap sample, which repeats classes, spans fewer combinations.
    """
    weights = layer.read_out
    energies = weights.square().sum((1, 2, 3))
    roughness = laplacian_energy(weights).sum(1)
    matrix = channel_matrix(weights)
    eigenvalues = laplacian_energy(layer.filters).sum(-1) / layer.filters.square().sum((-3, -2, -1))
    local = weights.square().sum(0).flatten(1)
    selection = smooth_filter_selection(
        local if eigenvalues.shape[1] > 1 else local.sum(1, keepdim=True),
        eigenvalues,
        permutations=probe.resamples,
        generator=generator_for("selection", probe.seed),
    )
    spatial = (math.nan,) * 3
    if layer.grid > 1:
        spatial = _estimate(lambda counts: (counts @ roughness) / (counts @ energies), len(weights), probe)
    return {
        "grid": layer.grid,
        **_columns("spatial_eigenvalue", spatial),
        "effective_channels": participation_ratio(matrix.diagonal()),
        "effective_combinations": participation_ratio(torch.linalg.eigvalsh(matrix)),
        "filter_eigenvalue": float(eigenvalues.mean()),
        "selection": selection.ratio,
        **{f"selection_{name}": value for name, value in selection._asdict().items() if name != "ratio"},
    }


def spectra_rows(read_out: Tensor) -> list[dict]:
    """Return the read-out's energy over patterns in space, over channels, and over combinations of channels.

    Each ``basis`` has rows by ``index``: ``laplacian`` from the constant to the roughest, ``channel`` and ``combination`` by
    energy. ``energy`` is that of a component relative to the mean over the basis; shares add up to 1. A grid of one place has no
    patterns in space.

    Args:
        read_out: ``(classes, C, rows, columns)``.
    """
    matrix = channel_matrix(read_out)
    channels = matrix.diagonal().sort(descending=True).values
    combinations = torch.linalg.eigvalsh(matrix).clamp(min=0).flip(0)
    combinations[read_out[:, 0].numel() :] = 0  # more than there are weights per channel; but for rounding
    return [
        *(_laplacian_rows(spatial_spectrum(read_out), read_out.shape[-1]) if read_out.shape[-1] > 1 else ()),
        *_ranked_rows("channel", channels),
        *_ranked_rows("combination", combinations),
    ]


def _laplacian_rows(spectrum: SpatialSpectrum, size: int) -> list[dict]:
    return [
        {
            "basis": "laplacian",
            "index": index,
            "wavenumber": wavenumber,
            "components": components,
            "energy": energy,
            "share": energy * components / size**2,
        }
        for index, (wavenumber, components, energy) in enumerate(
            zip(*(part.tolist() for part in spectrum), strict=True)
        )
    ]


def _ranked_rows(basis: str, energies: Tensor) -> list[dict]:
    return [
        {
            "basis": basis,
            "index": index,
            "wavenumber": math.nan,
            "components": 1,
            "energy": energy,
            "share": energy / len(energies),
        }
        for index, energy in enumerate((energies / energies.mean()).tolist(), start=1)
    ]


def measure_hidden_layer_pooling(given: Given) -> Measured:
    """Measure a training's network of one hidden layer at init and trained: its stability, error and pooling.

    Returns:
        Rows of the table ``hidden_layer_pooling``: those of ``stability``, the share of D and of G that all images have in
        common, and :func:`pooling_columns`; and of its summary, :func:`spectra_rows`.

    Raises:
        InputError: a checkpoint that cannot be read, a cutoff without a temperature range for these images, or a network
            that has not one hidden layer.
    """
    probe = given.probe
    states = list(networks_by_state(given.checkpoints, given.device))
    layers = [hidden_layer_of(network, metadata["net"]) for _, network, metadata in states]
    images = probe_on(given.dataset, probe, given.device)
    rows, summary = [], []
    measured = stability_rows(given)
    for (state, network, metadata), layer, stability in zip(states, layers, measured, strict=True):
        part = {"net": metadata["net"], "trained_part": metadata["trained_part"]}
        channels = {"channels": layer.read_out.shape[1]}
        common = {}
        for symbol, moves in output_moves(network, images, given.stability, probe).items():
            share = _estimate(lambda counts, moves=moves: common_share(moves, counts), len(moves), probe)
            common |= _columns(f"{symbol}_common", share)
        rows.append({**part, **stability, **channels, **common, **pooling_columns(layer, probe)})
        identity = {**part, **describe(state, metadata), **channels}
        summary += [{**identity, **row} for row in spectra_rows(layer.read_out)]
    return Measured(rows, summary)
