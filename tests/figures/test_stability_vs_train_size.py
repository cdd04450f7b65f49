"""Learning curves are complete or refused."""

import itertools

import pandas as pd
import pytest

from diffeo_stability import InputError
from diffeo_stability.figures.stability_vs_train_size.collection import collect_stability_vs_train_size


def table():
    rows = itertools.product(("b", "a"), (0, 1), ("trained", "init"), (1000, 100))
    return pd.DataFrame(rows, columns=["net", "seed", "state", "train_size"]).assign(R=1.0)


def test_curves_are_ordered_by_size():
    curves = collect_stability_vs_train_size(table(), None).table
    assert len(curves) == 16
    for _, curve in curves.groupby(["net", "seed", "state"]):
        assert curve.train_size.tolist() == [100, 1000]


def test_a_gap_and_a_double_are_named():
    with pytest.raises(
        InputError, match=r"b, 0, trained: measured at \[100\] training images, others at \[100, 1000\]"
    ):
        collect_stability_vs_train_size(table().iloc[1:], None)
    with pytest.raises(InputError, match="a, 1, init"):
        collect_stability_vs_train_size(pd.concat([table(), table().iloc[-1:]]), None)
