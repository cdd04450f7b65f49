"""What figures write of a name."""

import warnings

import matplotlib.pyplot as plt
import pytest

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.labels import TEXT_SIZE, as_text, as_texts

pytestmark = pytest.mark.usefixtures("style")


def test_names_are_no_mathematics_and_fit_their_place():
    figure = plt.figure()
    for name in ("$x$", "a_b^{c}", "100%", r"\frac$1$", "$" * 3, "W" * 40, "a name of some length $1 and $2"):
        text = figure.text(0, 0, as_text(name, 1), fontsize=TEXT_SIZE)
        shown = text.get_window_extent()
        assert shown.width <= 1.1 * figure.dpi
        without = figure.text(0, 0, text.get_text().replace(r"\$", "$"), fontsize=TEXT_SIZE, parse_math=False)
        assert shown.width == pytest.approx(without.get_window_extent().width, abs=3)


def test_letters_that_the_font_lacks_are_named_once(caplog):
    with warnings.catch_warnings(record=True) as warned:
        plotting.set_style()
        figure = plt.figure()
        for _ in range(2):
            figure.text(0, 0, as_text("\u6f22\u5b57 a"))
            figure.draw_without_rendering()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("\u6f22\u5b57 a: figures show boxes for \u6f22\u5b57, which the font lacks")
    assert not [warning for warning in warned if "Glyph" in str(warning.message)]
    as_text("na\u00efve \u03bb")
    assert len(caplog.records) == 1


def test_long_names_are_shortened_such_that_they_differ():
    alike = ["a" * 20 + letter + "b" * 20 for letter in "xyz"]
    for names in (
        alike,
        [name * 3 for name in alike],
        ["x" * 40 + "1", "x" * 40 + "2"],
        ["1" + "x" * 40, "2" + "x" * 40],
    ):
        shown = as_texts(names, 1)
        assert len(set(shown)) == len(names) and all("…" in name for name in shown)
    assert as_texts(["short", "names"]) == ["short", "names"]
    assert as_text("x" * 50 + "1", 1).endswith("1")
