"""Claims and questions: how verdicts and answers follow from numbers. Each one's measure is tested beside its figure."""

import ast
import math
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from claiming import CLAIMS, decided, with_interval, written

from diffeo_stability import InputError
from diffeo_stability.__main__ import main
from diffeo_stability.figures.claim_measures import Answer, Measured, Noted, Ways
from diffeo_stability.pipeline import claims as claims_module
from diffeo_stability.pipeline.claims import (
    Claim,
    Tables,
    evaluate_claims,
    format_claims,
    format_measured,
    judge,
    load_claims,
    measures,
    sort_claims,
)
from diffeo_stability.pipeline.tables import write_table

NUMBERS = 20  # of what the sources claim and ask
ABOVE_ONE = Claim(claim="1", kind="claim", stem="stability", statement="s", measured="m", above=1.0, source="d")


def stability(nets, state="trained", half=0.02, architecture="vgg11"):
    """Rows of the table ``stability``: R of several seeds of each net."""
    return [
        {"net": net, "seed": seed, "architecture": architecture, "state": state}
        | {"batch_norm": "none", "filter_size": np.nan, "imported": False, **with_interval("R", value, half)}
        for net, values in nets.items()
        for seed, value in enumerate(values)
    ]


@pytest.mark.parametrize("name", CLAIMS)
def test_a_run_without_the_figure_says_which_it_lacks(name):
    row = evaluate_claims([CLAIMS[name]], Tables({}), {}).iloc[0]
    assert row.verdict == "needs a figure" and row.reason.startswith("the run has no ") and np.isnan(row.measured)


def test_every_claim_has_a_measure_and_a_test_beside_its_figure(root):
    numbers = [int(re.match(r"\d+", name).group()) for name in CLAIMS]
    assert sorted(set(numbers)) == list(range(1, NUMBERS + 1)) and numbers == sorted(numbers)
    assert set(CLAIMS) == set(measures())
    tested = {name for path in (root / "tests" / "figures").glob("test_*.py") for name in claims_tested_in(path)}
    assert tested == set(CLAIMS)


def claims_tested_in(path):
    """Claims that a file of tests decides: keys of ``CASES``, and first arguments of what decides one."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["CASES"]:
            names |= {ast.literal_eval(key) for key in node.value.keys}
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("reaches_every_verdict", "decided"):
            names |= {argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    return names


def judged(monkeypatch, claim, found):
    monkeypatch.setattr(claims_module, "measures", lambda: {claim.name: lambda tables: found})
    return evaluate_claims([claim], Tables({}), {}).iloc[0]


def exactly(value, half=0.01):
    return Measured(value, value - half, value + half)


def test_of_a_class_of_nets_the_median_decides_and_those_that_do_not_agree_are_named_worst_first(monkeypatch):
    nets = {"a": exactly(2.0), "b": exactly(3.0), "c": exactly(0.2)}
    row = judged(monkeypatch, ABOVE_ONE, nets)
    assert row.measured == 2.0 and row.verdict == "reproduced"
    assert row.reason == "2 of 3 nets agree, not c (0.2)"
    more = nets | {"d": exactly(0.1), "e": exactly(1.5)}
    assert judged(monkeypatch, ABOVE_ONE, more).reason == "3 of 5 nets agree, not d (0.1) and c (0.2)"
    many = {f"net{k}": exactly(0.1 * k) for k in range(20)}
    words = "9 of 20 nets agree, not net0 (0), net1 (0.1), net2 (0.2) and 8 more"
    assert judged(monkeypatch, ABOVE_ONE, many).reason == words


def test_where_no_net_agrees_none_is_singled_out(monkeypatch):
    assert judged(monkeypatch, ABOVE_ONE, {"a": exactly(0.5), "b": exactly(0.2)}).reason == "none of 2 nets agrees"


def test_of_a_question_it_is_said_in_which_nets_the_answer_is_yes(monkeypatch):
    asked = ABOVE_ONE.model_copy(update={"kind": "question"})
    nets = {"a": exactly(2.0), "b": exactly(3.0), "c": exactly(0.2)}
    assert judged(monkeypatch, asked, nets).reason == "yes in 2 of 3 nets, not in c (0.2)"
    none = judged(monkeypatch, asked, {"a": exactly(0.5), "b": exactly(0.2)})
    assert (none.verdict, none.reason) == ("no", "yes in none of 2 nets")


def test_a_number_is_unlike_another_one_if_its_interval_says_so(monkeypatch):
    asked = ABOVE_ONE.model_copy(update={"kind": "question", "above": None, "unlike": 1.0})
    nets = {"a": exactly(1.001), "b": exactly(1.002), "c": exactly(2.0)}
    row = judged(monkeypatch, asked, nets)
    assert row.verdict == "undecided" and "yes in 1 of 3 nets" in row.reason


def test_what_is_noted_stands_beside_what_decides_and_ways_are_all_named(monkeypatch):
    noted = judged(monkeypatch, ABOVE_ONE, Noted({"a": exactly(2.0)}, "not counted: :net:`a`"))
    assert noted.verdict == "reproduced" and noted.reason == "a alone; not counted: a"
    row = judged(monkeypatch, ABOVE_ONE, Ways({"one norm": exactly(2.0), "another": exactly(0.5)}))
    assert row.measured == 0.5 and row.reason == "2 at one norm, 0.5 at another (decides)"


def test_at_least_includes_its_number(monkeypatch):
    claim = ABOVE_ONE.model_copy(update={"above": None, "at_least": 0.9})
    assert claim.criterion == ">= 0.9" and claim.accepts(0.9) and not claim.accepts(0.899)
    assert judge(claim, Measured(0.9, 0.9, 0.9)) == "reproduced"
    assert judge(claim, Measured(0.9, 0.8, 0.95)) == "inconclusive"


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((math.inf,) * 3, "nowhere"),
        ((2.0, 1.0, math.inf), "2 [1, nowhere]"),
        ((math.nan,) * 3, ""),
        ((2.0, 1.0, 3.0), "2 [1, 3]"),
    ],
)
def test_a_place_that_is_never_reached_is_nowhere(numbers, words):
    (row,) = pd.DataFrame([dict(zip(("measured", "low", "high"), numbers, strict=True))]).itertuples()
    assert format_measured(row) == words


def test_of_two_nets_in_the_middle_the_worse_decides(monkeypatch):
    row = judged(monkeypatch, ABOVE_ONE, {"a": exactly(2.0), "b": exactly(0.5)})
    assert row.measured == 0.5 and row.verdict == "not reproduced"
    below = ABOVE_ONE.model_copy(update={"above": None, "below": 1.0})
    assert judged(monkeypatch, below, {"a": exactly(2.0), "b": exactly(0.5)}).measured == 2.0


def test_one_net_is_said_to_be_alone(monkeypatch):
    assert judged(monkeypatch, ABOVE_ONE, {"a": exactly(2.0)}).reason == "a alone"


def test_of_a_list_the_worst_decides_also_where_another_is_less_certain(monkeypatch):
    claim = ABOVE_ONE.model_copy(update={"above": 1.9, "below": 2.1})
    row = judged(monkeypatch, claim, [Measured(1.8, 1.55, 2.05), Measured(1.65, 1.6, 1.7), exactly(2.0)])
    assert row.verdict == "not reproduced" and row.measured == 1.65


def test_questions_are_answered_and_counted_in_no_tally(monkeypatch):
    question = ABOVE_ONE.model_copy(update={"kind": "question"})
    for value, half, answer in ((2.0, 0.1, "yes"), (0.5, 0.1, "no"), (1.0, 0.1, "undecided")):
        assert judged(monkeypatch, question, exactly(value, half)).verdict == answer
    words = Answer(exactly(0.7), "convolutions lower D", "36 of 39")
    row = judged(monkeypatch, question, words)
    assert (row.verdict, row.reason, row.measured) == ("convolutions lower D", "36 of 39", 0.7)
    table = pd.DataFrame([dict(row), dict(judged(monkeypatch, ABOVE_ONE, exactly(2.0)))])
    assert sort_claims(table).counts == {"reproduced": 1, "not reproduced": 0, "inconclusive": 0}


def test_a_question_whether_two_things_differ_is_never_answered_by_no(monkeypatch):
    unlike = Claim(claim="8b", kind="question", stem="stability", statement="s", measured="m", unlike=1.0, source="d")
    assert judged(monkeypatch, unlike, exactly(1.5)).verdict == "yes"
    assert judged(monkeypatch, unlike, exactly(0.5)).verdict == "yes"
    assert judged(monkeypatch, unlike, exactly(1.0)).verdict == "undecided"
    assert unlike.criterion == "not 1"


def test_seeds_of_a_net_are_one_point(tmp_path):
    row = decided("2b", tmp_path, {"stability": stability({"a": (2.9, 3.1)}, half=0.1)})
    assert row.measured == pytest.approx(math.sqrt(2.9 * 3.1)) and row.reason == "a alone"


def test_seeds_that_disagree_widen_the_interval(tmp_path):
    def verdict(*values):
        return decided("2b", tmp_path, {"stability": stability({"a": values})}).verdict

    assert verdict(0.5, 0.55, 0.6) == "reproduced"
    assert verdict(0.5, 1.4) == "inconclusive"
    assert verdict(0.1, 5.0) == "inconclusive"


def test_ratios_of_seeds_that_disagree_stay_positive(tmp_path):
    """Of two seeds, t intervals are so wide that without logarithms R could be negative."""
    rows = stability({"a": (1.0, 0.3)}, "init") + stability({"a": (0.2, 0.9)})
    row = decided("2a", tmp_path, {"stability": rows})
    assert 0 < row.low < row.measured < row.high and row.verdict == "inconclusive"


def test_verdicts_follow_from_where_the_interval_lies():
    claim = ABOVE_ONE.model_copy(update={"below": 2.0})
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
def test_networks_of_libraries_and_of_ones_own_are_known_by_their_names(tmp_path, architecture):
    row = decided("2b", tmp_path, {"stability": stability({"a": (0.5,)}, architecture=architecture)})
    assert row.verdict == "reproduced" and row.measured == pytest.approx(0.5)


def test_a_run_shows_what_it_can_speak_to_and_counts_the_rest(tmp_path):
    tables = written(tmp_path, {"stability": stability({"lenet": (0.5,), "vgg11": (0.3,)})})
    names = ["2b", "2c", "6", "12 R", "12 D"]
    lines = format_claims(evaluate_claims([CLAIMS[name] for name in names], tables, {})).splitlines()
    assert lines[0].startswith("2b  They end with R below one") and "reproduced" in lines[0]
    assert lines[1] == "1 reproduced, 0 not reproduced, 0 inconclusive"
    assert lines[2:] == [
        "3 more need figures that this run does not have; 1 more needs networks that this run does not have"
    ]


def test_questions_are_printed_below_the_claims(tmp_path):
    rows = [
        {"claim": name, "part": None, "kind": kind, "stem": "stability", "statement": f"statement {name}"}
        | {"measured": 0.5, "low": 0.4, "high": 0.6, "criterion": "< 1", "verdict": verdict, "reason": ""}
        for name, kind, verdict in (("2b", "claim", "reproduced"), ("15", "question", "no"))
    ]
    assert format_claims(pd.DataFrame(rows)).splitlines() == [
        "2b  statement 2b  0.5 [0.4, 0.6]  < 1  reproduced",
        "1 reproduced, 0 not reproduced, 0 inconclusive",
        "",
        "Questions",
        "15  statement 15  0.5 [0.4, 0.6]  < 1  no",
    ]


def test_a_table_that_came_by_mail_is_printed_such_that_a_terminal_obeys_nothing(tmp_path, capsys):
    row = dict.fromkeys(("claim", "statement", "criterion", "verdict", "reason"), "\x1b[2J\a")
    path = tmp_path / "claims.csv"
    write_table(
        [row | {"kind": kind, "measured": 1.0, "low": 1.0, "high": 1.0} for kind in ("claim", "question")], path
    )
    assert main(["claims", str(path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\\x1b[2J\\x07") == 10 and all(map(str.isprintable, printed.splitlines()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claim": "99"}, "nothing measures claim 99"),
        ({"part": "first"}, "nothing measures claim 1 first"),
        ({"above": None, "below": None}, "neither above, at_least nor below is given"),
        ({"unlike": 1.0}, "unlike is for questions"),
        ({"at_least": 1.0, "below": None}, "at_least and above are given"),
        ({"kind": "guess"}, "entry 0.kind"),
        ({"stem": "stabilty"}, "entry 0.stem"),
        ({"measured": None}, "entry 0.measured"),
        ({"claim": "2a"}, "claim 2a stands there more than once"),
    ],
)
def test_wrong_claims_are_named_in_one_line(root, tmp_path, change, message):
    raw = yaml.safe_load((root / "config" / "claims.yaml").read_text())
    raw[0] |= change
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(InputError, match=message) as caught:
        load_claims(tmp_path / "claims.yaml")
    assert len(str(caught.value).splitlines()) == 1
