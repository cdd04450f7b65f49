import pandas as pd

from ..claim_measures import Tables
from ..words import decimals, number, span
from .claims import exponents

NAMES = {"D": ":math:`D`", "G": ":math:`G`", "R": ":math:`R`"}


def describe_constant_filters(tables: Tables) -> str:
    """Exponents of both nets beside the theory's, those with the source's shorter inputs, what rectification does, and biases."""
    summary = tables["constant_filters_summary"]
    depth = summary[(summary.against == "depth") & summary.quantity.isin(NAMES)]
    sentences = [
        *(_exponents(tables, depth, strided=strided) for strided in (False, True)),
        _without_rectification(depth),
        _linear_regime(summary[summary.against == "norm"]),
    ]
    return " ".join(filter(None, sentences))


def _listed(rows: pd.DataFrame) -> str:
    return ", ".join(f"{decimals(row.exponent)} ({NAMES[row.quantity]})" for row in rows.itertuples())


def _exponents(tables: Tables, depth: pd.DataFrame, *, strided: bool) -> str:
    """Exponents with the longest inputs, and with shorter ones."""
    rows = exponents(tables, strided=strided)
    rows = rows[rows.quantity.isin(NAMES)]
    first = rows.iloc[0]
    net = f"With stride {first.stride:g}" if strided else "With stride 1"
    scale = f":math:`{first.stride:g}^k`" if strided else ":math:`k`"
    laws = ", ".join(f"{row.exponent_law:g}" for row in rows.itertuples())
    words = (
        f"{net} exponents in {scale} are {_listed(rows)} over layers {first.first_layer:g} to {first.last_layer:g} and inputs of "
        f"{first.length:,.0f} pixels, where the theory has {laws}"
    )
    same_net = (depth.stride == first.stride) & (depth.rectified == "everywhere")
    shorter = depth[same_net & (depth.length < first.length)]
    for length, own in shorter.groupby("length"):
        words += f"; with inputs of {length:,.0f} pixels {_listed(own)}"
    return f"{words}."


def _without_rectification(depth: pd.DataFrame) -> str:
    """Exponents of G where noise is not rectified at the input, and where nothing is, with the longest inputs."""
    found = []
    for _, net in depth[depth.quantity == "G"].groupby("stride"):
        longest = net[net.length == net.length.max()].set_index("rectified").exponent
        found.append((longest["layers"], longest["nowhere"]))
    layers, nowhere = (" and ".join(decimals(exponent) for exponent in column) for column in zip(*found, strict=True))
    return (
        f"Where noise is rectified by the layers alone, the exponents of :math:`G` are {layers}; without any ReLU they are "
        f"{nowhere}."
    )


def _linear_regime(norms: pd.DataFrame) -> str:
    """Up to which noise nets with biases are linear."""
    leaving = norms[(norms.bias > 0) & norms.r_linear.notna()]
    if leaving.empty:
        return ""
    ratios = span(leaving.r_linear / leaving.bias)
    words = f"A net with biases leaves its linear regime at noise of norm {ratios} times the bias"
    without = norms[norms.bias == 0]
    if len(without):
        flat = "keeps" if without.r_linear.isna().all() else "does not keep"
        words += f"; without them :math:`G / r^2` {flat} its level, {number(without.level.iloc[0])}, within 10% at every norm"
    return f"{words}."
