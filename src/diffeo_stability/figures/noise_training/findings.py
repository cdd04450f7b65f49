import pandas as pd

from ..claim_measures import MissingError, Tables, rows_where
from ..words import averaged_over, each, factor, listed, number, percent, plural, with_interval
from .claims import correlations, points


def describe_noise_training(tables: Tables) -> str:
    """What noise does to the error and to D and G, how errors go with them over nets, and which nets are left out."""
    shown = list(filter(None, [_ends(points(tables)), _correlations(tables)]))
    over_seeds = averaged_over(tables["noise_training"].seed.nunique()) if shown else ""
    return " ".join(filter(None, [*shown, over_seeds, _left_out(tables)]))


def _ends(rows: pd.DataFrame) -> str:
    """The error with least and with most noise, and by what factors D and G differ; empty if no net has errors at both."""
    least, most = rows.noise.min(), rows.noise.max()
    ends = rows[rows.noise == least].merge(rows[rows.noise == most], on="net", suffixes=("", "_noisy"))
    if ends.empty or least == most:
        return ""
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
        f":math:`\\log G_f` {f'at {_noise(noise)}' if noise else 'without noise'}"
        for noise, of_d in found["D"].items()
    ]
    return f"Over nets, the correlation of the logarithm of the error is {listed(said, len(said))}."


def _left_out(tables: Tables) -> str:
    """How many trainings have no error, which has no logarithm."""
    rows = rows_where(tables["noise_training"], "trained nets", state="trained", images="noisy")
    count = int((rows.test_error == 0).sum())
    return f"Not drawn: {plural(count, 'training')} without a test error." if count else ""
