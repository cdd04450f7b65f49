"""What captions say of D and G over the depth of nets."""

import pandas as pd

from .claim_measures import over_depth, values_of
from .words import count_of, each, factor


def factors_over_depth(rows: pd.DataFrame, quantity: str) -> dict[str, float]:
    """By what factor a quantity changes from the first operation of each net to its last.

    Raises:
        MissingError: no net has the operations that a line takes.
    """
    return values_of(over_depth(rows, quantity))


def trained_over_depth(rows: pd.DataFrame) -> str:
    """The sentence on trained nets: by what factors D and G change, and in how many nets as arXiv:2210.01506 reports.

    Raises:
        MissingError: as :func:`factors_over_depth`.
    """
    deformation, noise = (factors_over_depth(rows, quantity) for quantity in "DG")
    falling = count_of(sum(value < 1 for value in deformation.values()), len(deformation))
    rising = count_of(sum(value > 1 for value in noise.values()), len(noise))
    return (
        "From the first operation to the last, by straight lines through the logarithms, after training :math:`D_k` changes by a "
        f"factor of {each(deformation, factor)} (it falls in {falling}) and :math:`G_k` by {each(noise, factor)} (it rises in "
        f"{rising})."
    )
