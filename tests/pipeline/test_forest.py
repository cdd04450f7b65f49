"""Claims as a forest plot: what is drawn where. The page that it stands on is looked at in test_report.py."""

import math

import pytest
from claiming import CLAIMS
from hypothesis import given
from hypothesis import strategies as st

from diffeo_stability import InputError
from diffeo_stability.figures.claim_measures import Measured
from diffeo_stability.pipeline.claims import Claim, judge, where_met
from diffeo_stability.pipeline.forest import draw_row

NOTHING = math.nan
CRITERIA = sorted({claim.criterion for claim in CLAIMS.values()})
FACTS = {"claim": "1", "kind": "question", "stem": "stability", "statement": "s", "measured": "m", "source": "d"}
LIMITS = st.one_of(st.none(), st.floats(-1e6, 1e6))


def shows(drawing):
    """The verdict that a drawing tells: by whether its interval, or its dot, lies where the criterion is met."""
    low, high = drawing.interval or (drawing.value, drawing.value)
    if any(start <= low and high <= end for start, end in drawing.shaded):
        return "reproduced"
    return "inconclusive" if any(low < end and start < high for start, end in drawing.shaded) else "not reproduced"


@pytest.mark.parametrize("claim", [claim for claim in CLAIMS.values() if claim.criterion], ids=lambda claim: claim.name)
def test_an_interval_is_drawn_on_the_side_of_its_verdict(claim):
    """Near the criterion and far from it, on either side and across, with an interval and without."""
    limits = [limit for limit in (claim.above, claim.at_least, claim.below, claim.unlike) if limit is not None]
    steps = [sign * step for step in (0.01, 0.03, 0.4, 2.0, 70.0) for sign in (-1, 1)]
    places = sorted({limit + step for limit in limits for step in steps})
    for low in places:
        for high in places[places.index(low) :]:
            measured = Measured((low + high) / 2, low, high)
            drawing = draw_row(claim.criterion, *measured)
            assert shows(drawing) == judge(claim, measured), (measured, drawing)
            assert drawing.beyond == [] and (drawing.interval is None) == (low == high)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_criterion_is_in_the_middle(criterion):
    for numbers in ((0.3, 0.2, 0.4), (-5.0, -7.0, 3.0), (900.0, 800.0, 1000.0), (NOTHING,) * 3):
        drawing = draw_row(criterion, *numbers)
        assert sum(drawing.limits[:1] + drawing.limits[-1:]) == pytest.approx(100 if drawing.limits else 0, abs=0.01)
        assert (drawing.value is None) == math.isnan(numbers[0])
        assert [tick.anchor for tick in drawing.ticks[:2]] == ["start", "end"]
        written = " ".join(tick.text for tick in drawing.ticks[2:]).replace("\N{MINUS SIGN}", "-")
        assert all(
            f"{limit:g}" in written for region in where_met(criterion) for limit in region if math.isfinite(limit)
        )


def test_ratios_are_drawn_by_factors_and_differences_by_their_size():
    double, half = draw_row("< 1", 2.0, 1.9, 2.1), draw_row("< 1", 0.5, 0.45, 0.55)
    assert double.logarithmic and half.logarithmic and double.value + half.value == pytest.approx(100, abs=0.01)
    more, less = draw_row("> 0", 0.3, 0.2, 0.4), draw_row("> 0", -0.3, -0.4, -0.2)
    assert not more.logarithmic and more.value + less.value == pytest.approx(100, abs=0.01)
    assert not draw_row("1.9 to 2.1", 2.0, 1.95, 2.05).logarithmic and draw_row("0.3 to 3", 1.0, 0.9, 1.1).logarithmic


def test_ends_of_an_axis_are_round_numbers():
    assert [tick.text for tick in draw_row("< 1", 0.6, 0.5, 0.7).ticks] == ["0.2", "5", "1"]
    assert [tick.text for tick in draw_row("> 0", 0.6, 0.5, 0.7).ticks] == ["\N{MINUS SIGN}1", "1", "0"]
    assert [tick.text for tick in draw_row("1.9 to 2.1", 2.0, 2.0, 2.0).ticks] == ["1.7", "2.3", "1.9", "2.1"]
    assert [tick.text for tick in draw_row("0.8 to 1.2", 4.0, 3.0, 5.0).ticks] == [
        "\N{MINUS SIGN}3.2",
        "5.2",
        "0.8 to 1.2",
    ]


def test_what_has_no_criterion_is_drawn_beside_no_change():
    drawing = draw_row("", 0.8, 0.7, 0.9)
    assert not drawing.shaded and not drawing.limits and drawing.interval[1] < 50
    assert drawing.ticks[-1] == (50.0, "1", "middle") and draw_row("", -0.8, -1, 1).ticks[-1].text == "0"


def test_an_interval_that_is_open_or_goes_too_far_ends_in_an_arrow():
    assert draw_row("> 1", 3.0, 2.0, math.inf).beyond == ["right"]
    assert draw_row("> 1", 3.0, -math.inf, 4.0).beyond == ["left"]
    assert draw_row("> 0", 1e20, 1e19, 1e21).beyond == ["right"]
    lonely = draw_row("> 1", 3.0, NOTHING, NOTHING)
    assert lonely.interval is None and lonely.value > 50


@given(LIMITS, LIMITS, st.floats(), st.floats(), st.floats())
def test_any_numbers_can_be_drawn(above, below, measured, low, high):
    criterion = Claim(**FACTS, above=above, below=below).criterion
    drawing = draw_row(criterion, measured, low, high)
    places = [*drawing.limits, *(tick.place for tick in drawing.ticks), *(drawing.interval or ())]
    places += [place for shaded in drawing.shaded for place in shaded]
    assert all(0 <= place <= 100 for place in (*places, 50 if drawing.value is None else drawing.value))
    assert all("nan" not in tick.text and "inf" not in tick.text for tick in drawing.ticks)


@given(LIMITS, LIMITS)
def test_a_criterion_can_be_read_back(above, below):
    claim = Claim(**FACTS, above=above, below=below)
    expected = tuple(float(f"{limit:g}") for limit in claim.limits)
    assert where_met(claim.criterion) == ([] if above is below is None else [expected])
    assert where_met("not 1") == [(-math.inf, 1.0), (1.0, math.inf)]
    assert where_met(Claim(**FACTS, at_least=0.9).criterion) == [(0.9, math.inf)]


@pytest.mark.parametrize("criterion", ["large", "< much", "1 to", "1 to 2 to 3", "> \x1b[31m1", "not not 1"])
def test_what_is_no_criterion_is_named(criterion):
    with pytest.raises(
        InputError, match="is no criterion of the table claims: delete that table and run again"
    ) as error:
        where_met(criterion)
    assert str(error.value).isprintable()
