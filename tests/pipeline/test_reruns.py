"""What decides a result reruns it, and nothing else does: edits of a finished run's sources against Snakemake's plan."""

import ast
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, Project

PACKAGE = "src/diffeo_stability"
NOTHING = {}


@pytest.fixture(scope="module")
def with_sources(finished_project, tmp_path_factory):
    """A finished project with a copy of the package's sources, to edit."""
    project = Project(
        shutil.copytree(finished_project.folder, tmp_path_factory.mktemp("reruns") / "project", symlinks=True)
    )
    shutil.copytree(ROOT / "src", project.folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return project


@pytest.fixture
def edit(with_sources):
    """Replaces text in a source, or writes a new one, for a test."""
    before = {}

    def replace(path, old, new=None):
        source = with_sources.folder / path
        before.setdefault(source, source.read_text() if source.exists() else None)
        text = source.read_text() if source.exists() else ""
        assert new is None or text.count(old) >= 1, f"{path} has no {old!r}"
        source.write_text(old if new is None else text.replace(old, new, 1))

    yield replace
    for source, text in before.items():
        source.unlink() if text is None else source.write_text(text)


def planned(project, collected=False):
    """Rules that Snakemake would run, with how often; those of the tables and figures that follow left out."""
    done = project.snakemake("-n", "--quiet", "rules", env=os.environ | {"PYTHONPATH": str(project.folder / "src")})
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, flags=re.MULTILINE)
    return {
        rule: int(count)
        for rule, count in rows
        if not rule.startswith(("total", "all", *([] if collected else ["collect_"])))
    }


def reformatted(source: str) -> str:
    """A source without its comments, in another layout, with other docstrings and no annotations of functions."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in (*node.args.args, *node.args.kwonlyargs):
                argument.annotation = None
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node):
            node.body[0].value.value = "In other words: " + node.body[0].value.value
    return ast.unparse(tree) + "\n"


def test_comments_docstrings_annotations_formatting_and_new_times_rerun_nothing(with_sources, edit):
    for folder in (PACKAGE, "workflow/scripts"):
        for path in (with_sources.folder / folder).rglob("*.py"):
            edit(path.relative_to(with_sources.folder), reformatted(path.read_text()))
    assert planned(with_sources) == NOTHING


def test_how_results_are_stored_logged_and_recorded_reruns_nothing(with_sources, edit):
    for module in (
        "records",
        "jobs",
        "gpus",
        "tables",
        "config",
        "plan",
        "interactive",
        "provenance",
        "adopt",
        "before",
        "metadata",
        "run_log",
        "own_code",
        "library_names",
    ):
        path = f"{PACKAGE}/pipeline/{module}.py"
        edit(path, (with_sources.folder / path).read_text() + "\n\nADDED = 1\n")
    for path in (
        "data/files.py",
        "data/counting.py",
        "data/tensors.py",
        "data/store.py",
        "networks/checkpoints.py",
        "networks/progress.py",
    ):
        edit(f"{PACKAGE}/{path}", (with_sources.folder / PACKAGE / path).read_text() + "\n\nADDED = 1\n")
    assert set(planned(with_sources)) <= {"write_report", "pack_crate"}


def test_a_new_network_a_new_data_set_and_another_description_or_default_rerun_nothing(with_sources, edit):
    edit(
        f"{PACKAGE}/networks/architectures/mine.py",
        "from torch import nn\n\nfrom ..catalogue import declare_family, register\n\n"
        'declare_family("mine", "Mine", color="purple")\n\n\n@register("mine", "Mine", "Mine")\n'
        "def mine(in_channels, image_size, classes, width=1.0):\n    return nn.Linear(1, 1)\n",
    )
    edit(f"{PACKAGE}/data/sources.py", "SOURCES = {", 'SOURCES = {\n    "more": Source("arrays", own=True),')
    edit(f"{PACKAGE}/figures/noise_curves/__init__.py", "of the deformations", "of deformations")
    edit(f"{PACKAGE}/figures/noise_curves/__init__.py", "0.2,", "0.3,")
    assert planned(with_sources) == NOTHING


def test_what_decides_a_result_reruns_it_and_no_other(with_sources, edit):
    """A new key of one figure, another one's measurement, a notebook and an architecture, each with what follows from it."""
    edit(
        f"{PACKAGE}/figures/noise_curves/__init__.py",
        "    tolerance: Positive",
        '    added: Positive = Field(1.0, description="a new key")\n    tolerance: Positive',
    )
    edit(
        f"{PACKAGE}/figures/laplacian_spectra/measurement.py",
        'generator_for("filters"',
        'generator_for("other filters"',
    )
    edit("workflow/notebooks/deformations.py", "# # ", "# # The figure of ")
    edit(f"{PACKAGE}/networks/architectures/one_hidden_layer.py", "HIDDEN_CHANNELS = 64", "HIDDEN_CHANNELS = 65")
    assert planned(with_sources) == {
        **{
            "measure_noise_curves": 1,
            "draw_noise_curves": 1,
            "measure_noise_bump_images": 1,
            "draw_noise_bump_images": 1,
        },
        **{"measure_laplacian_spectra": 1, "draw_laplacian_spectra": 1},
        "draw_deformations": 1,
        **{"train_network": 2, "measure_stability": 1, "measure_hidden_layer_pooling": 2},
        **{"draw_stability": 1, "draw_hidden_layer_pooling": 1},
        **{"measure_stability_vs_error": 1, "draw_stability_vs_error": 1},
        **{"evaluate_claims": 1, "write_captions": 1},
    }


def test_which_nets_a_claim_is_about_fits_and_judges_them_again(with_sources, edit):
    edit(f"{PACKAGE}/networks/classes.py", "USUAL_FILTER = 3", "USUAL_FILTER = 5")
    assert planned(with_sources) == {
        **{"measure_stability_vs_error": 1, "draw_stability_vs_error": 1},
        **{"evaluate_claims": 1, "write_captions": 1},
    }


def test_what_kind_of_net_one_is_counts_claims_and_captions_anew(with_sources, edit):
    """A family that takes LeNet over, as it looks, without its file."""
    edit(
        f"{PACKAGE}/networks/architectures/other.py",
        "from ..catalogue import declare_family\n\n"
        'declare_family("lenet", "LeNet", color="wine", kinds=("convolutional", "sequence", "odd"), ending="t")\n',
    )
    assert planned(with_sources) == {"evaluate_claims": 1, "write_captions": 1}


def test_a_network_that_no_figure_names_collects_nothing_anew(with_sources, edit):
    edit("config/smoke.yaml", "networks:\n", "networks:\n  spare: {architecture: lenet}\n")
    rules = planned(with_sources, collected=True)
    assert {rule for rule in rules if rule.startswith("collect_")} <= {"collect_stability"}


@pytest.mark.parametrize(
    ("module", "old", "new"), [("plotting", "FOOTER = 0.12", "FOOTER = 0.13"), ("labels", "WIDTH = ", "WIDTH = 1 + ")]
)
def test_how_all_figures_look_redraws_them_and_measures_nothing(with_sources, edit, module, old, new):
    edit(f"{PACKAGE}/pipeline/{module}.py", old, new)
    figures = (with_sources.folder / "figures" / "smoke").glob("*.png")
    assert planned(with_sources) == {f"draw_{png.stem}": 1 for png in figures}


def test_code_that_every_training_uses_trains_all_networks_again(with_sources, edit):
    edit(f"{PACKAGE}/networks/training.py", "SECONDS_BETWEEN_SAVES = 10.0", "SECONDS_BETWEEN_SAVES = 20.0")
    found = planned(with_sources)
    assert found["train_network"] == 8 and "fetch_dataset" not in found


def copied(project, folder):
    """A fresh clone of the project's sources, whose times are new, with what a run made copied into it."""
    clone = Project.create(folder)
    for part in ("data", "results", "figures", "logs"):
        shutil.copytree(project.folder / part, folder / part, symlinks=True)
    return clone


def adopted(project):
    command = [sys.executable, "-m", "diffeo_stability", "adopt", "config/smoke.yaml"]
    return subprocess.run(command, cwd=project.folder, capture_output=True, text=True)


def test_a_run_copied_to_another_folder_with_its_times_has_nothing_to_do(finished_project, tmp_path):
    clone = copied(finished_project, tmp_path / "elsewhere")
    done = clone.snakemake("-n")
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr, done.stdout
    assert "note: " not in done.stderr


def test_a_run_copied_without_its_times_is_checked_and_adopted(finished_project, tmp_path):
    clone = copied(finished_project, tmp_path / "elsewhere")
    for number, path in enumerate(sorted((clone.folder / "results").rglob("*"), reverse=True)):
        os.utime(path, (1e9 + number, 1e9 + number))
    planned = clone.snakemake("-n")
    assert "Nothing to be done" not in planned.stdout + planned.stderr
    (note,) = [line for line in planned.stderr.splitlines() if line.startswith("note: ")]
    assert "newer than what was made from them" in note and "adopt config/smoke.yaml first keeps it" in note
    damaged = clone.folder / "results/smoke/tables/stability.csv"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    done = adopted(clone)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and all(line.startswith("error: ") for line in lines)
    assert any("results/smoke/tables/stability.csv is not what its job wrote" in line for line in lines)
    assert (clone.folder / "results/smoke/tables/claims.csv").stat().st_mtime < 1.1e9  # nothing was touched
    damaged.write_bytes(whole)
    done = adopted(clone)
    assert done.returncode == 0 and "their times are set right" in done.stdout, done.stderr
    again = clone.snakemake("-n")
    assert "Nothing to be done" in again.stdout + again.stderr, again.stdout


def test_where_nothing_was_copied_there_is_nothing_to_adopt(project):
    done = adopted(project)
    assert done.returncode == 1 and "there is nothing of run smoke here" in done.stderr
