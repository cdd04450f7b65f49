"""One stem a figure, everywhere: whoever knows a figure's name knows every file that it is made by."""

import os
import re
import shutil
import subprocess
from collections import Counter

import pytest
import yaml
from tracked import tracked_files

from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline.config import RunConfig

FILES = (
    "workflow/notebooks/{stem}.py",
    "workflow/report/{stem}.rst",
    "src/diffeo_stability/figures/{stem}/__init__.py",
    "tests/figures/test_{stem}.py",
)


@pytest.mark.parametrize("stem", FIGURES)
def test_every_figure_has_all_its_files_under_its_stem(root, stem):
    for path in FILES:
        assert (root / path.format(stem=stem)).is_file(), path
    figure = FIGURES[stem]
    assert figure.has("measurement") == (figure.measured is not None)
    assert figure.has("collection") or not figure.summarised


@pytest.mark.parametrize("stem", FIGURES)
def test_captions_say_what_a_run_shows(root, stem):
    assert FIGURES[stem].has("findings")
    assert "{{ findings }}" in (root / "workflow" / "report" / f"{stem}.rst").read_text()


@pytest.mark.parametrize("stem", FIGURES)
def test_the_readme_has_a_row_for_the_figure_that_says_where_it_comes_from(root, stem):
    readme = (root / "README.md").read_text()
    (row,) = [line for line in readme.splitlines() if f"| `{stem}` |" in line]
    assert row.split("|")[3].split(",")[0].strip() in FIGURES[stem].source
    assert RunConfig.model_fields[stem].description


def test_there_are_no_stray_notebooks_captions_or_tests(root):
    stems = set(FIGURES)
    assert {path.stem for path in (root / "workflow" / "notebooks").glob("*.py")} == stems
    assert {path.stem for path in (root / "workflow" / "report").glob("*.rst")} == stems | {"workflow", "claims"}
    assert {path.stem.removeprefix("test_") for path in (root / "tests" / "figures").glob("test_*.py")} == stems


def test_every_rule_says_what_it_needs(root):
    """Every rule that runs a script has a log, a benchmark, threads, resources and a message."""
    rules = [
        rule
        for path in (root / "workflow" / "rules").glob("*.smk")
        for rule in re.split(r"^ *rule\b", path.read_text(), flags=re.MULTILINE)[1:]
    ]
    assert len(rules) > 7
    for rule in rules:
        for keyword in ("log", "benchmark", "threads", "resources", "params", "message", "script"):
            assert re.search(rf"^ +{keyword}:", rule, flags=re.MULTILINE), (rule.split("\n")[:3], keyword)
        assert "mem_mb" in rule and "runtime" in rule and re.search(r"code=(lambda wildcards: )?code\.", rule)


def test_figures_are_drawn_from_tables_and_never_from_checkpoints(root):
    for notebook in (root / "workflow" / "notebooks").glob("*.py"):
        text = notebook.read_text()
        assert "checkpoint" not in text and "import torch" not in text, notebook.name


def test_the_project_names_no_place_outside_itself(root):
    """No absolute paths, no hosts of package registries: they would tie the project to one machine."""
    wrong = re.compile(r"(?<![\w.~])/(?:home|root|Users|work)/\w|py[p]i\.org|python[h]osted")
    folders = ("src", "workflow", "config", "tests", "requirements", "profiles")
    for path in tracked_files(root, ":(glob)*", *folders):
        if path.suffix not in (".png", ".pdf"):
            assert not wrong.search(path.read_text()), path


def test_what_a_run_makes_is_no_change_of_the_project_even_where_it_is_a_link_to_another_disk(root):
    made = ["data", "results", "logs", "figures/mine", ".venv", ".snakemake"]
    ignored = subprocess.run(["git", "check-ignore", "--no-index", *made], cwd=root, capture_output=True, text=True)
    assert ignored.stdout.split() == made


def making(folder, root, *arguments):
    """What make says in a folder with the project's Makefile."""
    folder.mkdir(exist_ok=True)
    shutil.copy(root / "Makefile", folder)
    # Run by `make test`, this make would call itself make[1] and say where it goes in and out.
    alone = {key: value for key, value in os.environ.items() if key not in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")}
    return subprocess.run(["make", *arguments], cwd=folder, env=alone, capture_output=True, text=True)


@pytest.mark.fault("unsupported")
def test_make_refuses_a_folder_with_a_space_in_its_path_before_anything_else(root, tmp_path):
    folder = tmp_path / "my project"
    done = making(folder, root, "figures")
    assert done.returncode == 2 and "has a space in it" in done.stderr and not done.stdout
    assert [path.name for path in folder.iterdir()] == ["Makefile"]


@pytest.mark.fault("unsupported")
def test_make_refuses_an_environment_that_came_along_from_another_folder(root, tmp_path):
    folder = tmp_path / "project"
    activate = folder / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(
        f"VIRTUAL_ENV='{folder / '.venv'}'\nif [ x ]; then\n    VIRTUAL_ENV=$(cygpath -u \"$VIRTUAL_ENV\")\nfi\n"
    )
    assert "make figures" in making(folder, root).stdout
    done = making(folder.rename(tmp_path / "moved"), root, "figures")
    assert done.returncode == 2 and f"made for another folder ({folder / '.venv'}): remove it" in done.stderr
    assert not done.stdout


def test_make_says_that_a_run_file_does_not_exist(root, tmp_path):
    done = making(tmp_path, root, "clean", "CONFIG=config/mien.yaml")
    assert done.returncode == 2 and "there is no config/mien.yaml: say which run" in done.stderr


@pytest.mark.parametrize("name", ["bootstrap", "workflow", "test"])
def test_every_locked_requirement_has_hashes(root, name):
    lines = (root / "requirements" / f"{name}.txt").read_text().splitlines()
    requirements = [line for line in lines if line and not line.startswith(" ")]
    hashes = [line for line in lines if line.startswith("    --hash=sha256:")]
    assert requirements and len(requirements) + len(hashes) == len(lines)
    assert all("==" in line and line.endswith("\\") for line in requirements)


def test_test_tools_are_locked_beside_the_same_versions(root):
    """Installing the tests' requirements over the users' changes none of them."""
    users, tests = (
        {
            line.split(" ")[0]
            for line in (root / "requirements" / f"{name}.txt").read_text().splitlines()
            if "==" in line
        }
        for name in ("workflow", "test")
    )
    assert users <= tests


def test_conda_installs_the_same_lock(root):
    environment = yaml.safe_load((root / "environment.yml").read_text())
    assert environment["name"] == "diffeo-stability"
    assert {"pip": ["-r requirements/workflow.txt"]} in environment["dependencies"]
    assert environment["variables"]["PYTHONPATH"] == "src" and (root / "src" / "diffeo_stability").is_dir()


ENDINGS = ("identical", "one line", "unsupported")


def faults_told(root) -> tuple[list[list[int]], list[int]]:
    """How many faults the table tells of, row by row and in all, by what they end in."""
    text = (root / "docs" / "reliability.md").read_text()
    lines = [[cell.strip(" *") for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert tuple(lines[0][1:4]) == ENDINGS and lines[-1][0] == "all"
    *rows, total = [[int(cell or 0) for cell in line[1:4]] for line in lines[2:]]
    return rows, total


def test_the_reliability_table_adds_up(root):
    rows, total = faults_told(root)
    assert [sum(column) for column in zip(*rows, strict=True)] == total
    assert sum(total) >= 60


def test_the_reliability_table_counts_what_is_tested(root, request):
    """As the marks of the tests say, where all files with such tests are collected."""
    marked = {path for path in root.glob("tests/**/test_*.py") if "mark.fault(" in path.read_text()}
    if not marked <= {item.path for item in request.session.items}:
        pytest.skip("a part of the suite is run")
    counts = Counter()
    for item in request.session.items:
        for mark in item.iter_markers("fault"):
            ending, count = (*mark.args, 1)[:2]
            counts[ending] += count
    assert faults_told(root)[1] == [counts[ending] for ending in ENDINGS]
