"""Tables of nets with constant filters; claims and caption."""

import numpy as np
import pandas as pd
import pytest
from claiming import around, decided, reaches_every_verdict, said
from pydantic import ValidationError

from diffeo_stability.figures.constant_filters import ConstantFilters
from diffeo_stability.figures.constant_filters.measurement import measure_constant_filters
from diffeo_stability.figures.registry import Given

SETTINGS = {"draws": 2, "norm_draws": 3, "biases": [0.0, 0.01], "norms": 9}


@pytest.fixture(scope="module")
def measured():
    return measure_constant_filters(Given(settings=ConstantFilters(**SETTINGS)))


def exponents_of(summary, stride, rectified="everywhere"):
    rows = pd.DataFrame(summary)
    rows = rows[(rows.stride == stride) & (rows.rectified == rectified)]
    return rows[rows.length == rows.length.max()].set_index("quantity")


def test_exponents_are_the_theory_s_within_what_finite_nets_allow(measured):
    for stride in (1, 2):
        rows = exponents_of(measured.summary, stride)
        for quantity in "DGR":
            assert rows.exponent[quantity] == pytest.approx(rows.exponent_law[quantity], abs=0.15)
            assert rows.exponent_low[quantity] <= rows.exponent[quantity] <= rows.exponent_high[quantity]
    assert exponents_of(measured.summary, 1).exponent_law[["D", "G", "R"]].tolist() == [-1, 0.5, -1.5]
    assert exponents_of(measured.summary, 2).exponent_law[["D", "G", "R"]].tolist() == [-1, 1, -2]


def test_noise_that_nothing_rectifies_does_not_grow_with_depth(measured):
    for stride in (1, 2):
        assert abs(exponents_of(measured.summary, stride, "nowhere").exponent["G"]) < 0.1


def test_the_table_has_every_layer_and_every_norm(measured):
    table = pd.DataFrame(measured.table)
    depth, norms = table[table.against == "depth"], table[table.against == "norm"]
    assert len(depth) == 2 * 3 * (40 + 8) and len(norms) == 2 * 9
    assert set(depth[depth.stride == 1].length) == {84, 336} and set(depth[depth.stride == 2].length) == {513, 2052}
    np.testing.assert_allclose(depth.D, depth["shift"] / depth.between)
    np.testing.assert_allclose(depth.G, depth.noise / depth.between)
    assert (depth.G_low <= depth.G).all() and (depth.R_low <= depth.R).all() and (depth.D_low == depth.D).all()
    # The source's length leaves the strided net too few layers with long maps
    summary = pd.DataFrame(measured.summary)
    assert set(summary[(summary.against == "depth") & (summary.stride == 2)].length) == {2052}


def test_a_bias_keeps_a_net_linear_up_to_noise_of_its_size(measured):
    summary = pd.DataFrame(measured.summary)
    regimes = summary[summary.against == "norm"].set_index("bias")
    assert np.isnan(regimes.r_linear[0.0]) and 0.01 < regimes.r_linear[0.01] < 1
    assert regimes.level[0.01] < regimes.level[0.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"from_layer": 39}, "from_layer: 39 leaves fewer than 3 of 40 layers"),
        ({"strided_from_layer": 4}, "strided_from_layer: 4 leaves fewer than 3 of 8 layers"),
        ({"strided_layers": 2}, "strided_from_layer: 3 leaves fewer than 3 of 2 layers"),
        ({"lengths": [20]}, "inputs of 10,260 pixels are too long"),
        ({"smallest_norm": 2.0, "largest_norm": 1.0}, "largest_norm is 1.0"),
    ],
)
def test_settings_that_leave_nothing_to_fit_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        ConstantFilters(**SETTINGS | changes)


def exponent(stride, quantity):
    """A summary with one exponent, measured with the longest inputs; another one with shorter inputs."""

    def tables(value, half):
        shared = {"against": "depth", "stride": stride, "rectified": "everywhere"}
        lengths = {84: around("exponent", 9.0, 0.01), 336: around("exponent", value, half)}
        fitted = {"quantity": quantity, "first_layer": 3, "last_layer": 5}
        return {
            "constant_filters_summary": [
                {**shared, **fitted, "length": length, **row} for length, row in lengths.items()
            ],
            "constant_filters": [
                {
                    **shared,
                    "length": 336,
                    "layer_index": layer,
                    "scale": 2.0**layer,
                    quantity: min(4, layer) * 3.0**layer,
                }
                for layer in range(1, 7)
            ],
        }

    return tables


CASES = {
    "18a D": (exponent(1, "D"), -1.0, -0.5, -0.85),
    "18a G": (exponent(1, "G"), 0.5, 1.0, 0.65),
    "18a R": (exponent(1, "R"), -1.5, -1.0, -1.35),
    "18b D": (exponent(2, "D"), -1.0, -0.5, -0.85),
    "18b G": (exponent(2, "G"), 1.0, 0.5, 0.85),
    "18b R": (exponent(2, "R"), -2.0, -1.0, -1.85),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_reaches_every_verdict(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_the_reason_says_which_layers_and_inputs_and_what_others_give(tmp_path):
    row = decided("18a D", tmp_path, exponent(1, "D")(-1.0, 0.01))
    slope = np.polyfit(range(1, 6), np.log2([3, 2 * 9, 3 * 27, 4 * 81, 4 * 243]), 1)[0]
    assert row.measured == -1.0
    assert row.reason == f"layers 3 to 5, inputs of 336 pixels; {slope:.3g} from layer 1 on; 9 with inputs of 84"


def test_the_caption_has_the_exponents_of_both_lengths_and_says_where_linearity_ends(measured, tmp_path):
    text = said("constant_filters", tmp_path, {"constant_filters_summary": measured.summary})
    assert "inputs of 336 pixels, where the theory has -1, 0.5, -1.5; with inputs of 84 pixels" in text
    assert "inputs of 2,052 pixels, where the theory has -1, 1, -2." in text
    assert "leaves its linear regime" in text and "keeps its level" in text
    alone = [row for row in measured.summary if row["length"] in (336, 2052) or row.get("bias") == 0]
    text = said("constant_filters", tmp_path, {"constant_filters_summary": alone})
    assert "84 pixels" not in text and "linear regime" not in text
