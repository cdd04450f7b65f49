"""Learning curves are complete or refused; exponents against planted ones; question and caption."""

import itertools

import numpy as np
import pandas as pd
import pytest
from claiming import reaches_every_verdict, said, with_interval

from diffeo_stability import InputError
from diffeo_stability.figures.stability_vs_train_size.collection import collect_stability_vs_train_size, fit_exponents


def table():
    rows = itertools.product(("b", "a"), (0, 1), ("trained", "init"), (1000, 100))
    table = pd.DataFrame(rows, columns=["net", "seed", "state", "train_size"])
    numbers = {**with_interval("R", 1.0, 0.1), **with_interval("test_error", 0.1, 0.1)}
    return table.assign(architecture="vgg11", batch_norm="none", **numbers)


def collected(rows):
    return collect_stability_vs_train_size(rows)


def test_curves_are_ordered_by_size():
    curves = collected(table()).table
    assert len(curves) == 16
    for _, curve in curves.groupby(["net", "seed", "state"]):
        assert curve.train_size.tolist() == [100, 1000]


def test_at_init_there_may_be_a_curve_for_each_reading_of_batch_norm():
    init = table().query("state == 'init'")
    both = pd.concat(
        [init.assign(batch_norm="batch"), init.assign(batch_norm="estimated"), table()[lambda t: t.state == "trained"]]
    )
    assert len(collected(both).table) == 24


def test_a_gap_and_a_double_are_named():
    with pytest.raises(
        InputError, match=r"b, 0, trained: measured at \[100\] training images, others at \[100, 1000\]"
    ):
        collected(table().iloc[1:])
    with pytest.raises(InputError, match="a, 1, init"):
        collected(pd.concat([table(), table().iloc[-1:]]))


def curves(exponent, sizes=(100, 400, 1600), seeds=(1.0,), bend=0.0, half=0.0, net="lenet"):
    """A net with R = 5 P^b, and error 3 P^(-1/2); seeds differ by a power of P."""
    rows = []
    for seed, factor in enumerate(seeds):
        for size, kink in zip(sizes, bend * np.cos(np.pi * np.arange(len(sizes))), strict=True):
            relative = 5 * size ** (exponent * factor) * np.exp(kink)
            rows.append(
                {"net": net, "seed": seed, "state": "trained", "architecture": "lenet", "batch_norm": "none"}
                | {"train_size": size, **with_interval("R", relative, half)}
                | with_interval("test_error", 3 * size**-0.5, 0.0)
            )
    return rows


def exponents(rows):
    return fit_exponents(pd.DataFrame(rows)).set_index(["net", "quantity"])


def test_powers_are_recovered_exactly():
    found = exponents(curves(-0.3))
    assert found.b.tolist() == pytest.approx([-0.3, -0.5]) and found.a.tolist() == pytest.approx([5, 3])
    assert found.b_low.tolist() == pytest.approx(found.b_high.tolist())
    assert found.sizes.tolist() == [3, 3] and found.seeds.tolist() == [1, 1]


def test_of_seeds_the_mean_of_the_exponents_counts_with_their_scatter():
    found = exponents(curves(-0.3, seeds=(0.8, 1.0, 1.2))).loc[("lenet", "R")]
    assert found.b == pytest.approx(-0.3) and found.seeds == 3
    half = 4.302652730 * 0.06 / np.sqrt(3)  # t quantile of two degrees of freedom, spread of the exponents
    assert (found.b_low, found.b_high) == pytest.approx((-0.3 - half, -0.3 + half))


def test_what_images_leave_open_is_in_the_interval():
    """Of two sizes, whose logarithms differ by log 4, each known up to a half-width of 0.1."""
    found = exponents(curves(-0.3, sizes=(100, 400), half=0.1)).loc[("lenet", "R")]
    half = 0.1 * np.sqrt(2) / np.log(4)
    assert (found.b_low, found.b_high) == pytest.approx((-0.3 - half, -0.3 + half))


def test_a_curve_that_is_no_line_widens_the_interval_of_all_nets():
    straight, bent = curves(-0.3, net="straight"), curves(0.2, bend=0.1, net="bent")
    alone, both = (exponents(rows).xs("R", level="quantity") for rows in (straight, straight + bent))
    assert alone.b_high["straight"] - alone.b_low["straight"] == pytest.approx(0, abs=1e-9)
    widths = both.b_high - both.b_low
    assert widths["straight"] == pytest.approx(widths["bent"]) and widths["bent"] > 0.1


def test_errors_of_zero_are_left_out_and_one_size_is_no_curve():
    rows = curves(-0.3)
    rows[-1]["test_error"] = 0.0
    found = exponents(rows)
    assert found.sizes.tolist() == [3, 2] and found.b["lenet", "test_error"] == pytest.approx(-0.5)
    rows[-2]["test_error"] = 0.0
    assert list(exponents(rows).index) == [("lenet", "R")]
    assert list(exponents(curves(-0.3, sizes=(100,))).columns) == [
        "architecture",
        "a",
        "b",
        "b_low",
        "b_high",
        "sizes",
        "seeds",
    ]


def summary(value, half):
    row = {"net": "lenet", "quantity": "R", "b": value, "b_low": value - half, "b_high": value + half}
    error = {"net": "lenet", "quantity": "test_error", "b": 9.0, "b_low": 9.0, "b_high": 9.0}
    return {"stability_vs_train_size_summary": [error, row]}


def test_the_question_is_answered_either_way(tmp_path):
    reaches_every_verdict("3e", tmp_path, summary, -0.3, 0.3, 0.0)


def test_the_caption_says_the_exponents(tmp_path):
    def caption(rows):
        found = collected(pd.DataFrame(rows))
        return said(
            "stability_vs_train_size",
            tmp_path,
            {"stability_vs_train_size": found.table, "stability_vs_train_size_summary": found.summary},
        )

    text = caption(curves(-0.3))
    assert text.startswith("From :math:`P` = 100 to 1,600 training images, ") and "seed" not in text
    assert "to the power -0.30 (-0.30 to -0.30) in LeNet." in text and " nets" not in text
    assert "The error goes as :math:`P` to the power -0.50" in text
    both = [
        {**row, "batch_norm": reading, "R": level}
        for row in curves(-0.3)
        for reading, level in (("batch", 1.0), ("estimated", 0.4))
    ]
    init = [{**row, "state": "init", **with_interval("R", row["R"], 0.01)} for row in both]
    assert "would be 0.40 in LeNet at the largest :math:`P`, where those of each set of images give 1.0." in caption(
        curves(-0.3) + init
    )
    several = caption(curves(-0.3, seeds=(1.0, 1.1)) + curves(0.2, seeds=(1.0, 1.1), net="vgg11"))
    assert "over 2 seeds" in several and "falls, in 1 of 2 nets, and above zero in 1 of 2 nets" in several
    many = caption([row for k in range(8) for row in curves(-0.1 * k - 0.1, net=f"net{k}")])
    assert "(net7) to" in many and "8 of 8 nets" in many
