import pandas as pd

from ..claim_measures import MissingError, Tables, over_depth
from ..drawn_anew import in_brackets
from ..words import averaged_over, count_of, each, factor
from .claims import averaged_over_whole, trained


def describe_stability_by_depth(tables: Tables) -> str:
    """How D and G change over depth, trained and at init, and what a shuffle and a mean over channels do."""
    table = tables["stability_by_depth"]
    sentences = [
        f"From the first operation to the last, by straight lines through the logarithms, {_changes(trained(tables))}.",
        _at_init(table),
        _shuffled(table),
        _averaged(tables),
        averaged_over(table.seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


def _factors(rows: pd.DataFrame, quantity: str) -> dict[str, float]:
    return {net: found.value for net, found in over_depth(rows, quantity).items()}


def _changes(rows: pd.DataFrame) -> str:
    """By what factors D and G change, and in how many nets they do so in the way that the paper reports."""
    deformation, noise = _factors(rows, "D"), _factors(rows, "G")
    falling = count_of(sum(value < 1 for value in deformation.values()), len(deformation))
    rising = count_of(sum(value > 1 for value in noise.values()), len(noise))
    return (
        f"after training :math:`D_k` changes by a factor of {each(deformation, factor)} (it falls in {falling}) and "
        f":math:`G_k` by {each(noise, factor)} (it rises in {rising})"
    )


def _at_init(table: pd.DataFrame) -> str:
    init, other = table[table.state == "init"], ", and with batch-norm estimated once on training images by"
    return _by_statistics(init, "estimated", f"At init{in_brackets(init)} :math:`D_k` changes by", other)


def _shuffled(table: pd.DataFrame) -> str:
    shuffled, other = table[table.variant == "shuffled"], ", and where batch-norm keeps its statistics by"
    return _by_statistics(shuffled, "kept", "With shuffled channels it changes by", other)


def _by_statistics(rows: pd.DataFrame, less_usual: str, begin: str, go_on: str) -> str:
    """By what factors D changes; and with the less usual statistics of batch-norm, of nets that have some."""
    usual, others = rows[rows.batch_norm != less_usual], rows[rows.batch_norm == less_usual]
    if usual.empty:
        return ""
    text = f"{begin} {each(_factors(usual, 'D'), factor)}"
    return f"{text}{go_on} {each(_factors(others, 'D'), factor)}." if len(others) else f"{text}."


def _averaged(tables: Tables) -> str:
    try:
        ratios = {net: found.value for net, found in averaged_over_whole(tables).items()}
    except MissingError:
        return ""
    return (
        "Averaged over its channels, a trained convolution's output has a :math:`D_k` of "
        f"{each(ratios, factor)} times its own, mean of convolutions."
    )
