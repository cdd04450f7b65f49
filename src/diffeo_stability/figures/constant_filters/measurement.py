"""D, G and R after every layer of nets with constant filters, their exponents, and where biases end the linear regime.

Source: arXiv:2210.01506, its theory and the notebook on constant filters in the code published with it. There the last active
pixel is shifted to the front, which is no small deformation; here it is left out.
"""

import math
from collections.abc import Sequence

import torch
from scipy import stats
from torch import Tensor

from ...core.constant_filters import FLUCTUATIONS, RECTIFIED, AveragingNet, distances_by_layer, laws, noise_stability
from ...core.curves import log_spaced, norm_of_share, slope
from ...core.distances import Distances
from ...core.seeds import generator_for
from ..registry import Given, Measured
from . import ConstantFilters
from .fits import fitted_layers

BIASED = AveragingNet(filter_size=3, stride=2, layers=4)  # as in the source
TOLERANCE = 0.1  # relative departure of G / r^2 from its value at the smallest norm that counts as none


def measure_constant_filters(given: Given) -> Measured:
    """Measure both nets at every length of inputs, and the one with biases at every norm of noise.

    Returns:
        Rows of the table ``constant_filters`` of two kinds, by ``against``. ``depth``: one per net (``filter_size``, ``stride``),
        ``length`` of inputs, ``rectified`` (what is: ``everywhere``, ``layers`` but not the noisy inputs, ``nowhere``) and
        ``layer_index``; squared distances ``shift``, ``noise`` and ``between`` different inputs, and their ratios ``D``, ``G``
        and ``R``, with 95% intervals over draws of noise; the theory's ``_law`` of each at the layer's ``scale`` (see
        :mod:`diffeo_stability.core.constant_filters`), and ``G_with_fluctuations``, that of G and what fluctuations add to it.
        ``norm``: one per ``bias`` and norm ``r``, with ``G``.
        Rows of its summary, by ``against`` too. ``depth``: exponents in the scale, over ``first_layer`` to ``last_layer``, of
        each ``quantity``, beside the theory's ``exponent_law``; blank where fewer than three layers have long maps. ``norm``: by
        bias, ``level`` of G / r^2 at the smallest norm, and ``r_linear``, from which on it departs by 10%, NaN if it never does.
    """
    settings = given.settings
    rows, summary = [], []
    for net, first in (
        (AveragingNet(settings.filter_size, 1, settings.layers), settings.from_layer),
        (AveragingNet(settings.stride, settings.stride, settings.strided_layers), settings.strided_from_layer),
    ):
        for factor in settings.lengths:
            table, exponents = _measure_depth(net, factor * net.input_length, first, settings)
            rows += table
            summary += exponents
    for bias in settings.biases:
        table, regime = _measure_norms(bias, settings)
        rows += table
        summary.append(regime)
    return Measured(rows, summary)


def _generators(draws: int, seed: int, *purpose: str | int) -> list[torch.Generator]:
    """A source of noise for each draw; one more draw changes no other."""
    return [generator_for("constant filters", *purpose, seed, draw) for draw in range(draws)]


def _measure_depth(
    net: AveragingNet, length: int, first: int, settings: ConstantFilters
) -> tuple[list[dict], list[dict]]:
    """Rows of the table and of the summary for one net and one length of inputs."""
    found = distances_by_layer(net, length, _generators(settings.draws, settings.seed, net.stride, length))
    lengths = net.map_lengths(length)
    fitted = fitted_layers(first, lengths)
    shared = {"against": "depth", "filter_size": net.filter_size, "stride": net.stride, "length": length}
    rows, summary = [], []
    for rectified in RECTIFIED:
        quantities = [_quantities(distances) for distances in found[rectified]]
        what = {**shared, "rectified": rectified}
        for layer, (values, scale, map_length) in enumerate(zip(quantities, net.scales, lengths, strict=True), start=1):
            row = {**what, "layer_index": layer, "map_length": map_length, "scale": scale}
            for quantity, law in laws(net).items():
                row |= _with_interval(quantity, values[quantity]) | {f"{quantity}_law": law.at(scale)}
            rows.append(row | {"G_with_fluctuations": row["G_law"] + FLUCTUATIONS})
        if fitted:
            summary += _exponent_rows(what, net, quantities, fitted)
    return rows, summary


def _quantities(distances: Distances) -> dict[str, Tensor]:
    """Squared distances and their ratios in one layer; what depends on noise by draw, ``(draws,)``, the rest ``(1,)``."""
    moved = distances.moved.mean(1)
    shift, noise, between = moved[:1], moved[1:], distances.between_images(distances.spread.mean())[None]
    stabilities = {"D": shift / between, "G": noise / between, "R": shift / noise}
    return {"shift": shift, "noise": noise, "between": between, **stabilities}


def _with_interval(name: str, by_draw: Tensor) -> dict[str, float]:
    """Columns of a mean over draws with its 95% t interval; of what no noise decides, the number itself."""
    mean = float(by_draw.mean())
    count = len(by_draw)
    half = stats.t.ppf(0.975, count - 1) * float(by_draw.std()) / math.sqrt(count) if count > 1 else 0.0
    return {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}


def _exponent_rows(
    what: dict, net: AveragingNet, quantities: Sequence[dict[str, Tensor]], layers: Sequence[int]
) -> list[dict]:
    """Exponents of every quantity in the scale, over some layers, beside the theory's."""
    scales = torch.tensor([net.scales[layer - 1] for layer in layers], dtype=torch.float64)
    rows = []
    for quantity, law in laws(net).items():
        values = torch.stack([quantities[layer - 1][quantity] for layer in layers])
        exponent = _with_interval("exponent", slope(scales, values))
        over = {"first_layer": layers[0], "last_layer": layers[-1]}
        rows.append({**what, "quantity": quantity, **over, **exponent, "exponent_law": law.exponent})
    return rows


def _measure_norms(bias: float, settings: ConstantFilters) -> tuple[list[dict], dict]:
    """Rows of the table, and the row of the summary, for one bias."""
    norms = log_spaced(settings.smallest_norm, settings.largest_norm, settings.norms)
    net = BIASED._replace(bias=bias)
    by_draw = noise_stability(net, norms, _generators(settings.norm_draws, settings.seed, "norms"))
    shared = {"against": "norm", "filter_size": net.filter_size, "stride": net.stride, "length": net.input_length}
    what = {**shared, "layer_index": net.layers, "bias": bias}
    rows = [{**what, "r": norm, **_with_interval("G", values)} for norm, values in zip(norms, by_draw, strict=True)]
    ratios = by_draw.mean(1) / torch.tensor(norms, dtype=torch.float64) ** 2
    departures = (ratios / ratios[0] - 1).abs().tolist()
    regime = {"level": float(ratios[0]), "r_linear": norm_of_share(norms, departures, TOLERANCE)}
    return rows, {**what, **regime}
