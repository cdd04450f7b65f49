"""Figures whose block was taken out of the configuration: what is left of them is named, removed when asked, and nothing else."""

from pathlib import Path

import pytest
import yaml

from diffeo_stability.__main__ import main
from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline.config import load_config
from diffeo_stability.pipeline.leftovers import left_over, name_left_over
from diffeo_stability.pipeline.plan import Plan
from diffeo_stability.pipeline.records import record_of, write_records

GONE = ("noise_bump_images", "noise_curves")
KEPT = ("stability", "stability_vs_error")  # which have no pictures


@pytest.fixture
def run(root, tmp_path, monkeypatch):
    """A finished run, of which two figures were taken out: its configuration file, what is left of them, and what it makes."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((root / "config" / "smoke.yaml").read_text())
    config = Path("smoke.yaml")
    config.write_text(yaml.safe_dump(raw))
    everything = Plan(load_config(config)).shown()
    for path in map(Path, everything):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("made")
        write_records([path], rule="make", inputs={}, params={}, config=raw)
    config.write_text(yaml.safe_dump({key: block for key, block in raw.items() if key not in GONE}))
    made = Plan(load_config(config)).shown()
    return config, {Path(path) for path in everything if path not in made}, made


def test_what_is_left_of_a_figure_is_all_that_shows_it(run):
    config, left, made = run
    assert {path.as_posix() for path in left} == {
        *(f"figures/smoke/{stem}.{kind}" for stem in GONE for kind in ("pdf", "png")),
        *(f"results/smoke/tables/{stem}.csv" for stem in GONE),
        "results/smoke/tables/noise_curves_summary.csv",
        "results/smoke/pictures/noise_bump_images.safetensors",
        *(f"results/smoke/captions/{stem}.rst" for stem in GONE),
        *(f"results/smoke/notebooks/{stem}.html" for stem in GONE),
    }
    plan = Plan(load_config(config))
    assert set(left_over(plan)) == left and not left & set(map(Path, made))
    line = name_left_over(plan, "smoke.yaml")
    assert "\n" not in line and all(str(path) in line for path in left)
    assert line.endswith("python -m diffeo_stability tidy smoke.yaml removes them")


def test_it_is_removed_with_its_records_and_nothing_else_is(run, capsys):
    config, left, made = run
    notes = Path("figures/smoke/notes.pdf")
    notes.write_text("by hand")
    assert main(["tidy", str(config)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(left)
    assert not any(path.exists() or record_of(path).exists() for path in left)
    assert notes.exists() and all(Path(path).exists() and record_of(path).exists() for path in made)
    assert name_left_over(Plan(load_config(config)), str(config)) is None
    assert main(["tidy", str(config)]) == 0 and capsys.readouterr().out == "there is nothing to remove\n"


def test_folders_of_which_nothing_is_made_any_more_are_looked_through(run):
    config, left, _ = run
    raw = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({key: block for key, block in raw.items() if key not in FIGURES or key in KEPT}))
    assert left < set(left_over(Plan(load_config(config))))


def test_a_run_that_was_never_made_leaves_nothing(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert left_over(Plan(load_config(root / "config" / "smoke.yaml"))) == []
