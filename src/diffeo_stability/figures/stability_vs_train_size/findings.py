import pandas as pd

from ..claim_measures import (
    Measured,
    MissingError,
    Tables,
    by_network,
    interval_in_row,
    means_by_network,
    rows_where,
    values_of,
)
from ..words import count_of, each, plural, span, with_interval


def describe_stability_vs_train_size(tables: Tables) -> str:
    """With which powers of P the error and R go, and in how many nets R falls."""
    curves = tables["stability_vs_train_size"]
    relative = _exponents(tables, "R")
    sizes, seeds = sorted(curves.train_size.unique()), curves.seed.nunique()
    over_seeds = f" (means of logarithms over {plural(seeds, 'seed')})" if seeds > 1 else ""
    sentences = [
        f"From :math:`P` = {sizes[0]:,} to {sizes[-1]:,} training images{over_seeds}, :math:`R_f` goes as :math:`P` to the power "
        f"{each(relative, with_interval)}.",
        _directions(list(relative.values())),
        _errors(tables),
        _other_reading(curves),
    ]
    return " ".join(filter(None, sentences))


def _directions(exponents: list[Measured]) -> str:
    """In how many of several nets R surely falls, and in how many it rises."""
    if len(exponents) == 1:
        return ""
    falling, rising = sum(b.high < 0 for b in exponents), sum(b.low > 0 for b in exponents)
    return (
        f"The interval of this power lies below zero, so that :math:`R_f` falls, in {count_of(falling, len(exponents))}, and "
        f"above zero in {count_of(rising, len(exponents))}."
    )


def _errors(tables: Tables) -> str:
    try:
        errors = _exponents(tables, "test_error")
    except MissingError:
        return ""
    return f"The error goes as :math:`P` to the power {each(errors, with_interval)}."


def _other_reading(curves: pd.DataFrame) -> str:
    """What statistics of training images, estimated once, give at init instead, at most training images."""
    init = curves[(curves.state == "init") & (curves.train_size == curves.train_size.max())]
    if "estimated" not in set(init.batch_norm):
        return ""
    estimated, drawn = (
        values_of(means_by_network(rows, "R"))
        for rows in (init[init.batch_norm == "estimated"], init[init.batch_norm == "batch"])
    )
    return (
        f"With batch-norm estimated once on training images, :math:`R_f` at init would be {each(estimated)} at the largest "
        f":math:`P`, where those of each set of images give {span(drawn.values())}."
    )


def _exponents(tables: Tables, quantity: str) -> dict[str, Measured]:
    rows = rows_where(tables["stability_vs_train_size_summary"], f"{quantity} to fit", quantity=quantity)
    return by_network(rows, lambda of_net: interval_in_row(of_net.iloc[0], "b"))
