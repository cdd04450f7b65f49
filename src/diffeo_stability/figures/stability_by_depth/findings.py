import pandas as pd

from ..claim_measures import MissingError, Tables, values_of
from ..depth import factors_over_depth, trained_over_depth
from ..drawn_anew import in_brackets
from ..words import averaged_over, each, factor
from .claims import averaged_over_whole, trained


def describe_stability_by_depth(tables: Tables) -> str:
    """How D and G change over depth, trained and at init, and what a shuffle and a mean over channels do."""
    table = tables["stability_by_depth"]
    sentences = [
        trained_over_depth(trained(tables)),
        _at_init(table),
        _shuffled(table),
        _averaged(tables),
        averaged_over(table.seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


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
    text = f"{begin} {each(factors_over_depth(usual, 'D'), factor)}"
    return f"{text}{go_on} {each(factors_over_depth(others, 'D'), factor)}." if len(others) else f"{text}."


def _averaged(tables: Tables) -> str:
    try:
        ratios = values_of(averaged_over_whole(tables, fewest=2))
    except MissingError:
        return ""
    return (
        "Averaged over its channels, a trained convolution's output has a :math:`D_k` of "
        f"{each(ratios, factor)} times its own, mean of convolutions."
    )
