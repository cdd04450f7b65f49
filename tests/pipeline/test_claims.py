"""Claims: every one of them driven to each verdict by tables made by hand."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from diffeo_stability import InputError
from diffeo_stability.core.curves import log_spaced, summarise
from diffeo_stability.figures.claim_measures import Measured
from diffeo_stability.pipeline.claims import Claim, Tables, evaluate_claims, format_claims, judge, load_claims, measures

DECKS = 15  # claims that the decks make
ALTERNATING = np.array([1, -1, -1, 1, 1, -1, -1, 1])  # without any slope


def with_interval(name, value, half):
    """A column with its interval, wide or narrow on a logarithmic scale."""
    return {name: value, f"{name}_low": value * np.exp(-half), f"{name}_high": value * np.exp(half)}


def around(name, value, half):
    """A column with an interval that is symmetric about it."""
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}


def stability(init, trained, half, architecture):
    """Two nets, the second of which is far from contradicting anything."""
    rows = [
        {"net": "first", "seed": 0, "architecture": architecture, "state": "init", **with_interval("R", init, half)},
        {
            "net": "first",
            "seed": 0,
            "architecture": architecture,
            "state": "trained",
            **with_interval("R", trained, half),
        },
    ]
    return {"stability": rows}


def correlations(quantity, name, value, half):
    return {"stability_vs_error": [{"quantity": quantity, **around(name, value, half)}]}


def noise(state, height, half, changed=0.2):
    """A curve with its bump in the middle of three decades."""
    r = np.geomspace(0.1, 100, 31)
    what = {
        "net": "deep",
        "seed": 0,
        "architecture": "vgg11_bn",
        "state": state,
        "perturbation": "noise",
        "output": "logits",
    }
    curve = [{**what, "r": radius, "changed": min(1.0, changed * (radius / 10) ** 2)} for radius in r]
    bump = {"bump_r": 10.0, "bump_r_low": 9.0, "bump_r_high": 11.0, "bump": True, **around("bump_height", height, half)}
    return {"noise_curves": curve, "noise_curves_summary": [{**what, **bump, **around("exponent", 2.0, 0.01)}]}


def exponents(value, half):
    what = {"net": "deep", "seed": 0, "state": "trained", "perturbation": "noise", "output": "softmax"}
    return {"noise_curves_summary": [what | around("exponent", value, half)]}


def bump_with_changes(changed, half):
    """Predictions change in steps about r* = 10, so that the interval of r* makes that of their share."""
    tables = noise("trained", 5.0, 0.1)
    for row in tables["noise_curves"]:
        row["changed"] = float(np.clip(changed + half * np.log(row["r"] / 10) / np.log(1.1), 0, 1))
    return tables


def interpolation(ratio, half):
    """Beyond half of the way, at 9, the curves differ whatever the ratio, which must not count."""
    rows = [
        {"net": "a", "seed": 0, "state": "trained", "output": "logits", "perturbation": kind, "r": r}
        | {"datapoint_distance": 10.0}
        | with_interval("distance", value * r**2 * (100.0 if kind == "noise" and r == 9.0 else 1.0), half)
        for r in (0.1, 1.0, 9.0)
        for kind, value in (("noise", 1.0), ("datapoint", ratio))
    ]
    return {"interpolation_curves": rows}


def spread_about(value, half, count=6):
    """Numbers of a given geometric mean; their spread makes an interval of about ``half`` in logarithm."""
    steps = np.linspace(-1, 1, count)
    return value * np.exp(steps * half)


def laplacian(gain, half):
    rows = []
    for epoch in (0, 10):
        for layer, value in enumerate(spread_about(gain, half), start=1):
            for eigenvalue, ratio in ((0.0, value if epoch else 1.0), (3.0, 1.2), (6.0, 1.0)):
                rows.append(
                    {
                        "net": "a",
                        "seed": 0,
                        "epoch": epoch,
                        "layer_index": layer,
                        "eigenvalue": eigenvalue,
                        "ratio": ratio,
                    }
                )
    return {"laplacian_spectra": rows}


def spectra(deep, simple, half):
    rows = []
    for net, architecture, value in (("deep", "vgg11_bn", deep), ("simple", "lenet", simple)):
        rows += [
            {
                "net": net,
                "seed": 0,
                "architecture": architecture,
                "state": "trained",
                "kind": "conv",
                "operation_index": k,
            }
            | with_interval("ratio_to_init", ratio, half)
            for k, ratio in enumerate(spread_about(value, half))
        ]
    return {"activation_spectra_summary": rows}


def filters(state, difference, half):
    rows = []
    for name, level in (("trained", 0.4 + difference), (state, 0.4)):
        rows += [
            {"state": name, "train_size": 100, "gabor_r2": value} for value in level + half * np.linspace(-1, 1, 20)
        ]
    rows += [{**row, "train_size": 10, "gabor_r2": 0.0} for row in rows]
    return {"first_layer_filters": rows}


def depth(trained, init, half):
    """A fall of R over eight convolutions, straight but for an alternating part."""
    rows = []
    for state, change in (("trained", trained), ("init", init)):
        place = np.linspace(0, 1, 8)
        values = change**place * np.exp(half * ALTERNATING * (state == "trained"))
        rows += [
            {
                "net": "a",
                "seed": 0,
                "architecture": "vgg11",
                "state": state,
                "kind": "conv",
                "operation_index": k,
                "R": value,
            }
            for k, value in enumerate(values)
        ]
    return {"operation_stability": rows}


def changes(kind, change, half):
    rows, value = [], 1.0
    for index, factor in enumerate(spread_about(change, half)):
        for name, by in (("other", 1.1), (kind, factor)):
            value *= by
            rows.append({"kind": name, "operation_index": 2 * index + (name == kind), "R": value})
    what = {"net": "a", "seed": 0, "architecture": "vgg11", "state": "trained"}
    return {"operation_stability": [what | row for row in rows]}


def shuffled(share, half):
    rows = [
        {"net": "a", "seed": 0, "batch_norm": kind, "operation_index": index, **around("share", value, half)}
        for kind, index, value in (("re-estimated", 1, 9.0), ("re-estimated", 2, share), ("kept", 2, -9.0))
    ]
    return {"channel_shuffling_summary": rows}


def one_hidden_layer(ratio, half):
    rows = [
        {
            "net": "a",
            "seed": 0,
            "state": "trained",
            "width": width,
            "trained_part": part,
            **with_interval("R", value, half),
        }
        for width in (0.5, 1.0)
        for part, value in (("all", 2.0), ("read_out", 2.0 * ratio * width))
    ]
    rows += [{**row, "state": "init", "R": 100.0} for row in rows]
    return {"hidden_layer_pooling": [row for row in rows if row["width"] == 1.0]}


def parts(ratio, half):
    norms = {
        "norm_formula": 0.3,
        "norm_measured": 0.3 * ratio,
        "norm_low": 0.3 * (ratio - half),
        "norm_high": 0.3 * (ratio + half),
    }
    far = {"norm_formula": 0.3, "norm_measured": 0.1, "norm_low": 0.1, "norm_high": 0.1}
    rows = [{"patch_size": 1, "part": "rotation", **norms}, {"patch_size": 9, "part": "rotation", **far}]
    return {"field_decomposition": [*rows, {"patch_size": 1, "part": "remainder"}]}


def neurons(ratios):
    rows = [
        {"net": "a", "seed": 0, "state": state, "patch_choice": choice, "transformation": kind, "layer_index": layer}
        | {"ratio_to_translation": ratio if (state, choice) == ("trained", "random") else 1.0}
        for kind in ("rotation", "pure_shear")
        for state, choice in (("trained", "random"), ("init", "random"), ("trained", "top"))
        for layer, ratio in enumerate(ratios, start=1)
    ]
    return {"neuron_stability_summary": rows}


def rising(change, half):
    return change ** np.linspace(0, 1, 8) * np.exp(half * ALTERNATING)


def coupling(excess, half):
    rows = [
        {
            "net": "a",
            "seed": 0,
            "state": "trained",
            "rotations": kind,
            "null_high": 0.1,
            **around("correlation", value, half),
        }
        for kind, value in (("quarter_turns", 0.1 + excess), ("interpolated", 0.6), ("none", -0.5))
    ]
    return {"rotation_coupling_summary": rows}


# For each claim what tables a number and the width of its interval make, and a number on the claimed side and on the other
CASES = {
    "1a": (lambda x, half: stability(x, 0.5, half, "vgg11"), 0.8, 0.02, 0.316),
    "1b": (lambda x, half: stability(x, 0.5, half, "vgg11"), 1.2, 30.0, 3.16),
    "2a": (lambda x, half: stability(1.0, x, half, "resnet18"), 0.4, 3.0, 1.0),
    "2b": (lambda x, half: stability(4.0, x, half, "lenet"), 0.4, 3.0, 1.0),
    "2c": (lambda x, half: stability(1.0, x, half, "fully_connected_4"), 3.0, 0.4, 1.0),
    "3a": (lambda x, half: correlations("R", "correlation", x, half), 0.9, -0.5, 0.0),
    "3b": (lambda x, half: correlations("D", "behind_R", x, half), 0.4, -0.4, 0.0),
    "3c": (lambda x, half: correlations("G", "behind_R", x, half), 0.4, -0.4, 0.0),
    "4": (exponents, 2.01, 1.5, 2.1),
    "5a": (lambda x, half: noise("trained", x, half), 6.0, 0.5, 1.2),
    "5b": (lambda x, half: noise("init", x, half), 1.01, 6.0, 1.2),
    "5c": (bump_with_changes, 0.25, 0.9, 0.5),
    "6": (interpolation, 5.0, 1.0, 1.5),
    "7": (laplacian, 3.0, 0.5, 1.0),
    "8a": (lambda x, half: spectra(x, 1.0, half), 0.7, 1.4, 1.0),
    "8b": (lambda x, half: spectra(x, 1.0, half), 0.7, 1.4, 1.0),
    "9a": (lambda x, half: filters("init", x, half), 0.3, -0.3, 0.0),
    "9b": (lambda x, half: filters("mixture", x, half), 0.3, -0.3, 0.0),
    "10a": (lambda x, half: depth(x, 1.0, half), 0.3, 3.0, 1.0),
    "10b": (lambda x, half: depth(0.5 * x, 0.5, half), 0.2, 3.0, 1.0),
    "10c": (lambda x, half: changes("pool", x, half), 0.8, 1.2, 1.0),
    "10d": (lambda x, half: changes("conv", x, half), 0.8, 1.2, 1.0),
    "10e": (lambda x, half: changes("relu", x, half), 1.2, 0.8, 1.0),
    "11a": (shuffled, 0.4, 1.5, 1.0),
    "11b": (shuffled, 0.4, -0.5, 0.0),
    "12": (one_hidden_layer, 2.0, 0.4, 1.0),
    "13": (parts, 1.0, 1.4, 1.05),
    "14a": (lambda x, half: neurons(spread_about(x, half, 8)), 1.5, 0.6, 1.0),
    "14b": (lambda x, half: neurons(rising(x, half)), 2.0, 0.5, 1.0),
    "15": (coupling, 0.3, -0.3, 0.0),
}


@pytest.fixture(scope="module")
def claims(root):
    return {claim.claim: claim for claim in load_claims(root / "config" / "claims.yaml")}


def written(folder, tables):
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    return Tables({name: folder / f"{name}.csv" for name in tables})


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("verdict", ["reproduced", "not reproduced", "inconclusive"])
def test_every_claim_reaches_every_verdict(claims, tmp_path, name, verdict):
    make, claimed, contradicting, edge = CASES[name]
    value = {"reproduced": claimed, "not reproduced": contradicting, "inconclusive": edge}[verdict]
    tables = written(tmp_path, make(value, 0.6 if verdict == "inconclusive" else 0.01))
    row = evaluate_claims([claims[name]], tables).iloc[0]
    assert row.verdict == verdict, dict(row)
    assert row.low <= row.measured <= row.high
    assert row.measured == pytest.approx(value, rel=0.1, abs=0.02) or name == "8b"
    assert bool(row.reason) == (verdict == "inconclusive")


@pytest.mark.parametrize("name", CASES)
def test_a_claim_whose_inputs_the_run_lacks_is_inconclusive(claims, name):
    row = evaluate_claims([claims[name]], Tables({})).iloc[0]
    assert row.verdict == "inconclusive" and row.reason.startswith("the run has no ") and np.isnan(row.measured)


def test_a_curve_towards_data_below_that_of_noise_is_unlike_it_as_well(claims, tmp_path):
    row = evaluate_claims([claims["6"]], written(tmp_path, interpolation(0.2, 0.01))).iloc[0]
    assert row.measured == pytest.approx(5.0) and row.verdict == "reproduced"


def test_every_claim_of_the_decks_has_a_row_a_measure_and_a_case(claims):
    numbers = [int(re.match(r"\d+", name).group()) for name in claims]
    assert sorted(set(numbers)) == list(range(1, DECKS + 1)) and numbers == sorted(numbers)
    assert list(claims) == list(CASES) and set(claims) == set(measures())


def test_worst_cases_are_those_of_the_net_that_comes_closest_to_contradicting(claims, tmp_path):
    rows = [
        {"net": net, "seed": seed, "architecture": "vgg11", "state": "trained", **with_interval("R", value, 0.1)}
        for net, values in (("good", (0.2, 0.3)), ("bad", (2.9, 3.1)))
        for seed, value in enumerate(values)
    ]
    row = evaluate_claims([claims["2b"]], written(tmp_path, {"stability": rows})).iloc[0]
    assert row.measured == pytest.approx(math.sqrt(2.9 * 3.1))  # a mean over seeds
    assert row.verdict == "not reproduced"


@pytest.mark.parametrize("last", [5.0, 8.0, 16.0, 100.0])
def test_curves_that_rise_to_the_end_of_their_range_have_no_bump(claims, tmp_path, last):
    """As summarised by the figure itself, whose largest norm is then the place of the largest value."""
    norms = log_spaced(0.01, last, 20)
    rising = torch.tensor(norms, dtype=torch.float64) ** 3
    summary = summarise(norms, rising, rising[:, None].expand(-1, 10), 0.2)
    assert summary["bump_r"] == norms[-1] and not summary["bump"] and summary["bump_height"] > 10
    tables = noise("trained", 6.0, 0.1)
    what = {key: value for key, value in tables["noise_curves"][0].items() if key not in ("r", "changed")}
    tables = {
        "noise_curves": [{**what, "r": r, "changed": 0.0} for r in norms],
        "noise_curves_summary": [{**what, **summary}],
    }
    row = evaluate_claims([claims["5a"]], written(tmp_path, tables)).iloc[0]
    assert row.measured == 1.0 and row.verdict == "not reproduced"


def test_seeds_that_disagree_widen_the_interval(claims, tmp_path):
    def verdict(*values):
        what = {"net": "a", "architecture": "vgg11", "state": "trained"}
        rows = [{**what, "seed": seed, **with_interval("R", value, 0.02)} for seed, value in enumerate(values)]
        return evaluate_claims([claims["2b"]], written(tmp_path, {"stability": rows})).iloc[0].verdict

    assert verdict(0.5, 0.55, 0.6) == "reproduced"
    assert verdict(0.5, 1.4) == "inconclusive"
    assert verdict(0.1, 5.0) == "inconclusive"


def test_ratios_of_seeds_that_disagree_stay_positive(claims, tmp_path):
    """Of two seeds, t intervals are so wide that without logarithms R could be negative."""
    rows = [
        {"net": "a", "architecture": "vgg11", "state": state, "seed": seed, **with_interval("R", value, 0.02)}
        for state, values in (("init", (1.0, 0.3)), ("trained", (0.2, 0.9)))
        for seed, value in enumerate(values)
    ]
    row = evaluate_claims([claims["2a"]], written(tmp_path, {"stability": rows})).iloc[0]
    assert 0 < row.low < row.measured < row.high and row.verdict == "inconclusive"


def test_the_same_layers_of_several_seeds_are_no_more_layers(claims, tmp_path):
    tables = laplacian(1.1, 0.2)
    one = evaluate_claims([claims["7"]], written(tmp_path, tables)).iloc[0]
    again = [{**row, "seed": seed} for row in tables["laplacian_spectra"] for seed in (0, 1, 2)]
    three = evaluate_claims([claims["7"]], written(tmp_path, {"laplacian_spectra": again})).iloc[0]
    assert (one.low, one.high) == pytest.approx((three.low, three.high))


def test_a_net_that_cannot_be_measured_hides_no_contradiction(claims, tmp_path):
    tables = neurons(spread_about(0.6, 0.01, 8))
    shallow = [{**row, "net": "shallow"} for row in neurons([2.0])["neuron_stability_summary"]]
    tables["neuron_stability_summary"] += shallow
    for name in ("14a", "14b"):
        row = evaluate_claims([claims[name]], written(tmp_path, tables)).iloc[0]
        assert row.verdict != "inconclusive" or row.reason == "the interval straddles the criterion"
    assert evaluate_claims([claims["14a"]], written(tmp_path, tables)).iloc[0].verdict == "not reproduced"


def test_an_uncertain_number_hides_no_contradiction(claims, tmp_path):
    """Of two exponents one is uncertain, and the other contradicts the claim for sure."""
    rows = [
        exponents(1.8, 0.25)["noise_curves_summary"][0],
        exponents(1.65, 0.05)["noise_curves_summary"][0] | {"net": "b"},
    ]
    row = evaluate_claims([claims["4"]], written(tmp_path, {"noise_curves_summary": rows})).iloc[0]
    assert row.verdict == "not reproduced" and row.measured == 1.65


def test_verdicts_follow_from_where_the_interval_lies():
    claim = Claim(claim="1", stem="stability", statement="s", measured="m", above=1.0, below=2.0, source="d")
    for low, high, verdict in (
        (1.1, 1.9, "reproduced"),
        (0.5, 1.5, "inconclusive"),
        (1.5, 2.5, "inconclusive"),
        (0.5, 2.5, "inconclusive"),
        (0.5, 0.9, "not reproduced"),
        (2.1, 2.9, "not reproduced"),
        (2.0, 2.0, "not reproduced"),
    ):
        assert judge(claim, Measured((low + high) / 2, low, high)) == verdict
    assert claim.criterion == "1 to 2"


@pytest.mark.parametrize("architecture", ["vgg11", "timm:vgg11", "torchvision:vgg11", "my.networks:vgg_of_mine"])
def test_networks_of_libraries_and_of_ones_own_are_known_by_their_names(claims, tmp_path, architecture):
    tables = stability(1.0, 0.5, 0.01, architecture)
    row = next(evaluate_claims([claims["2b"]], written(tmp_path, tables)).itertuples())
    assert row.verdict == "reproduced" and row.measured == pytest.approx(0.5)


def test_the_printed_table_is_aligned_and_counts_verdicts(claims, tmp_path):
    make, value, *_ = CASES["2b"]
    table = evaluate_claims([claims["2b"], claims["12"]], written(tmp_path, make(value, 0.01)))
    first, second, counts = format_claims(table).splitlines()
    assert first.startswith("2b  Trained convolutional nets") and first.endswith("reproduced")
    assert second.startswith("12  ") and "the run has no hidden_layer_pooling" in second
    assert first.index("< 1") == second.index("> 1")
    assert counts == "1 reproduced, 0 not reproduced, 1 inconclusive"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claim": "99"}, "nothing measures claim 99"),
        ({"above": None}, "neither above nor below is given"),
        ({"stem": "stabilty"}, "entry 0.stem"),
        ({"measured": None}, "entry 0.measured"),
        ({"claim": "1b"}, "claim 1b stands there more than once"),
    ],
)
def test_wrong_claims_are_named_in_one_line(root, tmp_path, change, message):
    raw = yaml.safe_load((root / "config" / "claims.yaml").read_text())
    raw[0] |= change
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(InputError, match=message) as caught:
        load_claims(tmp_path / "claims.yaml")
    assert len(str(caught.value).splitlines()) == 1
