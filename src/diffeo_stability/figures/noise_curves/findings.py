import pandas as pd

from ..claim_measures import MissingError, Tables, means_by_network, rows_where, values_of
from ..drawn_anew import in_brackets
from ..states import as_shown
from ..words import count_of, each, fold, listed, network, plural, span
from .claims import bump_in_units_of, rises, to_speak_of


def describe_noise_curves(tables: Tables) -> str:
    """Where G / r^2 has its bump and which nets have none, how prominent one is at init and for deformations, and exponents."""
    table = tables["noise_curves_summary"]
    noise = _curves(table, "trained", "noise")
    sentences = [
        *_bumps(noise),
        _prominences(table),
        f"{_softmax(table)}; {_exponents(table)}.",
    ]
    return " ".join(filter(None, sentences))


def _curves(table: pd.DataFrame, state: str, perturbation: str, output: str = "logits") -> pd.DataFrame:
    what = {"state": state, "perturbation": perturbation, "output": output}
    return rows_where(as_shown(table), f"{perturbation} curves {state}", **what)


def _values(rows: pd.DataFrame, column: str) -> dict[str, float]:
    try:
        return values_of(means_by_network(rows, column))
    except MissingError:
        return {}


def _bumps(noise: pd.DataFrame) -> list[str]:
    """Of trained nets under noise: the bump, in several units, and the nets without."""
    nets = list(noise.net.unique())
    with_bump = noise[noise.bump]
    found = list(with_bump.net.unique())
    sentences = []
    if found:
        heights = span(_values(with_bump, "bump_height").values())
        sentences.append(
            f"Trained, :math:`G_f / r^2` of the logits has a bump in {count_of(len(found), len(nets))}"
            f"{_seeds(noise, with_bump)}: :math:`r^*` is {each(_values(with_bump, 'bump_r'))}, {_in_units(with_bump)}, and the "
            f"bump rises to {heights} times the level at small :math:`r`."
        )
    missing = [net for net in nets if net not in found]
    if missing:
        rows = noise[noise.net.isin(missing)]
        rising = {net: rise for net, rise in _values(rows, "rise").items() if rise > to_speak_of(rows)}
        all_the_same = f"; the curve rises {each(rising, fold)}" if rising else ""
        there_is = "There is no bump" if found else "Trained, :math:`G_f / r^2` of the logits has no bump"
        sentences.append(f"{there_is} in {listed([network(net) for net in missing])}{all_the_same}.")
    return sentences


def _seeds(noise: pd.DataFrame, with_bump: pd.DataFrame) -> str:
    if noise.seed.nunique() == 1:
        return ""
    return f" ({len(with_bump)} of {plural(len(noise), 'training')}; numbers are geometric means over seeds)"


def _in_units(rows: pd.DataFrame) -> str:
    """r* over the norm of the images' contrast, and over the norm at which 5% of the predictions have changed."""
    contrast = span(measured.value for measured in bump_in_units_of(rows, "contrast_norm").values())
    words = f"{contrast} times the norm of the images' contrast"
    changed = _values(rows, "r_changed")
    if changed:
        places = _values(rows.dropna(subset="r_changed"), "bump_r")
        ratios = span(places[net] / changed[net] for net in changed)
        words += f" and {ratios} times the norm at which 5% of the predictions have changed"
    return words


def _prominences(table: pd.DataFrame) -> str:
    """Whether there are bumps for deformations, and at init with either reading of batch-norm."""
    deformed = _standing_out(_curves(table, "trained", "deformation"))
    words = f"Of maxima that stand out from both sides, trained :math:`D_f / r^2` has {deformed}"
    try:
        initial = _curves(table, "init", "noise")
    except MissingError:
        return f"{words}."
    drawn_anew = in_brackets(initial)
    words += f", and :math:`G_f / r^2` at init{drawn_anew} has {_standing_out(initial)}"
    estimated = table[(table.batch_norm == "estimated") & (table.perturbation == "noise") & (table.output == "logits")]
    if len(estimated):
        words += f"; with batch-norm estimated once on training images it would have {_standing_out(estimated)}"
    return f"{words}."


def _standing_out(rows: pd.DataFrame) -> str:
    """In which nets an interior maximum stands out, and by how much; and in which the curve rises all the same."""
    found = {net: factor for net, factor in _values(rows, "prominence").items() if factor > to_speak_of(rows)}
    words, rising = f"one by a factor of {each(found)}" if found else "none", rises(rows)
    return f"{words} (the curve rises {each(rising, fold)})" if rising else words


def _softmax(table: pd.DataFrame) -> str:
    rows = _curves(table, "trained", "noise", "softmax")
    with_bump = rows[rows.bump]
    if with_bump.empty:
        return "The softmax probabilities show no bump"
    return f"Of the softmax probabilities :math:`r^*` is {each(_values(with_bump, 'bump_r'))}"


def _exponents(table: pd.DataFrame) -> str:
    rows = as_shown(table)
    exponents = rows.groupby(["net", "state", "perturbation", "output"]).exponent.mean()
    values = span(exponents, lambda exponent: f"{exponent:.2f}")
    return f"over the smallest decade the exponents of :math:`D_f` and :math:`G_f` are {values}"
