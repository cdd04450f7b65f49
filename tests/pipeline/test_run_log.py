"""What a run says besides Snakemake's words: how long it has to go, and at its end what went wrong."""

import os
from types import SimpleNamespace

import pytest

from diffeo_stability.pipeline.run_log import in_words, last_words, seconds_left, what_is_made, what_went_wrong

DECLARED = {"train": 240, "measure": 60, "draw": 10, "all": 0}


def test_jobs_of_a_kind_take_as_long_as_those_that_are_done():
    took = {"train": [10, 14], "measure": [3, 3]}
    left = seconds_left(took, {"train": 2, "measure": 5}, DECLARED, running=[], elapsed=30)
    assert left == 2 * 12 + 5 * 3  # one at a time
    assert seconds_left(took, {"train": 2, "measure": 5}, DECLARED, running=[], elapsed=15) == left / 2


def test_jobs_of_a_kind_that_is_not_done_yet_compare_as_they_declare():
    left = seconds_left({"train": [24]}, {"measure": 1, "draw": 2, "all": 1}, DECLARED, running=[], elapsed=24)
    assert left == pytest.approx(6 + 2 * 1)


def test_what_is_running_is_partly_done():
    started = seconds_left({"train": [10]}, {"train": 2}, DECLARED, running=[6], elapsed=16)
    assert started == 20 - 6
    assert seconds_left({"train": [10]}, {"train": 1}, DECLARED, running=[60], elapsed=70) == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (40, "40 s"), (89, "89 s"), (100, "2 min"), (3600, "60 min"), (9000, "2.5 h")],
)
def test_times_are_said_as_one_says_them(seconds, words):
    assert in_words(seconds) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("4000 images\nerror: a.csv is damaged: delete it\n", "a.csv is damaged: delete it"),
        ("error: first\nerror: second\n", "second"),
        ("interrupted at epoch 3 of 5; run again to go on\n", "interrupted at epoch 3 of 5; run again to go on"),
        ("unexpected error\nTraceback:\n  File a.py\nKeyError: 'R'\n\n", "KeyError: 'R' (all of it is in {log})"),
        ("", "it ended without a word"),
    ],
)
def test_jobs_end_with_words_of_their_own(tmp_path, text, words):
    log = tmp_path / "job.log"
    log.write_text(text)
    assert last_words(log, since=0).startswith(words.format(log=log))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("figures/mine/stabilty.pdf", "; did you mean figures/mine/stability.pdf? Another run needs --configfile"),
        ("figures/other/stability.pdf", "; did you mean figures/mine/stability.pdf? Another run needs --configfile"),
        ("reprot", "; did you mean report? Another run needs --configfile"),
        ("qqq", ". Another run needs --configfile"),
    ],
)
def test_for_what_a_run_does_not_make_something_near_is_named(asked, said):
    assert what_is_made(asked, "mine", ["report", "figures/mine/stability.pdf"]).startswith(
        f"note: run mine makes no {asked}{said}"
    )


@pytest.mark.parametrize("line", ["error: \x1b[2Jsaid", "  \x1b[2Jsaid"])
def test_a_terminal_obeys_nothing_that_a_job_said(tmp_path, line):
    (tmp_path / "job.log").write_text(f"{line}\a\n")
    words = last_words(tmp_path / "job.log", since=0)
    assert words.startswith("\\x1b[2Jsaid\\x07") and words.isprintable()


def test_words_of_an_earlier_run_are_not_repeated(tmp_path):
    log = tmp_path / "job.log"
    assert "without a word" in last_words(log, since=0)
    log.write_text("error: long ago\n")
    os.utime(log, (1000, 1000))
    assert "without a word" in last_words(log, since=2000)


def job(log, message, rule="draw_stability"):
    return SimpleNamespace(log=[log], message=message, rule=SimpleNamespace(name=rule), is_group=lambda: False)


def test_every_job_that_failed_has_a_line(tmp_path):
    """Those of a group, too."""
    jobs = []
    for name in "abc":
        log = tmp_path / f"{name}.log"
        log.write_text(f"error: {name} is wrong\n")
        jobs.append(job(log, f"Training: {name}" if name != "c" else None))
    group = SimpleNamespace(jobs=jobs[1:], is_group=lambda: True)
    assert what_went_wrong([jobs[0], group], since=0).splitlines() == [
        "3 jobs went wrong:",
        "  Training: a: a is wrong",
        "  Training: b: b is wrong",
        "  draw_stability: c is wrong",
    ]
    assert what_went_wrong(jobs[:1], since=0).startswith("1 job went wrong:")
