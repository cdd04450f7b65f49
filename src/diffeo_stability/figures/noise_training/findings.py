import pandas as pd

from ..claim_measures import MissingError, Tables
from ..words import averaged_over, each, factor, listed, number, percent, with_interval
from .claims import correlations, points


def describe_noise_training(tables: Tables) -> str:
    """What noise does to the error and to D and G, and how errors go with them over nets."""
    rows = points(tables)
    least, most = rows.noise.min(), rows.noise.max()
    ends = rows[rows.noise == least].merge(rows[rows.noise == most], on="net", suffixes=("", "_noisy"))
    sentences = [
        _ends(ends, least, most),
        _correlations(tables),
        averaged_over(tables["noise_training"].seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


def _ends(ends: pd.DataFrame, least: float, most: float) -> str:
    """The error without and with most noise, and by what factors D and G differ."""
    if ends.empty:
        raise MissingError("the run has no net with two noises and errors")
    errors = {f"{side}": dict(zip(ends.net, ends[f"test_error{side}"], strict=True)) for side in ("", "_noisy")}
    ratios = {
        quantity: dict(zip(ends.net, ends[f"{quantity}_noisy"] / ends[quantity], strict=True))
        for quantity in ("D", "G")
    }
    return (
        f"With noise of norm {most:g} the error is {each(errors['_noisy'], percent)}; with {_noise(least)} it is "
        f"{each(errors[''], percent)}. :math:`D_f` with the former over that with the latter is {each(ratios['D'], factor)}, and "
        f":math:`G_f` {each(ratios['G'], factor)}."
    )


def _noise(norm: float) -> str:
    return f"noise of norm {norm:g}" if norm else "none"


def _correlations(tables: Tables) -> str:
    try:
        found = {quantity: correlations(tables, quantity) for quantity in ("D", "G")}
    except MissingError:
        return ""
    said = [
        f"{with_interval(of_d, number)} with :math:`\\log D_f` and {with_interval(found['G'][noise], number)} with "
        f":math:`\\log G_f` at {_noise(noise)}"
        for noise, of_d in found["D"].items()
    ]
    return f"Over nets, the correlation of the logarithm of the error is {listed(said, len(said))}."
