import pandas as pd

from ..claim_measures import Tables, rows_where
from ..words import count_of, network, number


def describe_noise_bump_images(tables: Tables) -> str:
    """How large r* is beside the images' contrast, and how many of the images shown are still told at each norm."""
    table = tables["noise_bump_images"]
    moved = rows_where(table, "images that are moved", perturbation=["noise", "datapoint"])
    moved = rows_where(moved[moved.factor > 0], "images that are moved")
    first = moved.iloc[0]
    net, place = network(first.net), f":math:`r^* =` {number(first.bump_r)}"
    where = (
        f"In {net} the bump lies at {place}" if first.bump else f"{net} has no bump; its curve is largest at {place}"
    )
    ratio = number(first.bump_r / first.contrast_norm)
    sentences = [
        f"{where}, {ratio} times the mean norm of the images' contrast (of each image with the mean of each channel removed).",
        _still_right(moved, "noise", "With noise"),
        _still_right(moved, "datapoint", "Moved towards the other image"),
    ]
    return " ".join(filter(None, sentences))


def _still_right(moved: pd.DataFrame, perturbation: str, words: str) -> str:
    """How many of the images are predicted right at r*, or at the norm next to it, and at the largest norm."""
    rows = moved[moved.perturbation == perturbation]
    nearest = min(rows.factor.unique(), key=lambda factor: abs(factor - 1))
    shares = []
    for factor in dict.fromkeys((nearest, rows.factor.max())):
        right = rows[rows.factor == factor].right
        norm = ":math:`r^*`" if factor == 1 else f":math:`{factor:g}\\, r^*`"
        shares.append(f"{count_of(int(right.sum()), len(right), 'images')} at {norm}")
    return f"{words} it still gets right {' and '.join(shares)}."
