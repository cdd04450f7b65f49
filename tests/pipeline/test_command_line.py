"""What people type: Snakemake from another folder, values on the command line, targets by the names that make has too."""

import os
import re
import signal
from pathlib import Path

import pytest
import yaml
from conftest import preloaded
from waiting import HANGS, wait_until

import diffeo_stability
from diffeo_stability.pipeline.config import parse_config
from diffeo_stability.pipeline.plan import Plan

MODULE = """
module other:
    snakefile: "{snakefile}"


use rule * from other
"""


def one_line_of(done):
    """Why Snakemake ended before it planned anything: one line."""
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("Using workflow specific profile")]
    assert done.returncode == 1 and line.startswith("error: ")
    return line


@pytest.mark.fault("unsupported", 3)
def test_from_another_folder_one_line_names_the_remedy(project, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    snakefile = project.folder / "Snakefile"

    def snakemake(folder, *arguments):
        return preloaded().run(["-m", "snakemake", "--cores", "1", *arguments], folder, os.environ)

    assert f"cd {project.folder} first" in one_line_of(snakemake(elsewhere, "-s", str(snakefile)))
    assert f"cd {project.folder} first" in one_line_of(snakemake(project.folder, "-d", str(elsewhere)))
    (elsewhere / "Snakefile").write_text(MODULE.format(snakefile=snakefile))
    assert "run the project by itself" in one_line_of(snakemake(elsewhere))
    assert not {path.name for path in elsewhere.iterdir()} & {"results", "figures", "data", "logs"}
    there = snakemake(elsewhere, "-s", str(snakefile), "-d", str(project.folder), "-n", "--quiet", "rules")
    assert there.returncode == 0, there.stderr


@pytest.mark.fault("unsupported")
def test_a_package_that_is_another_copy_than_the_projects_own_is_refused(project):
    (project.folder / "src" / "diffeo_stability").mkdir(parents=True)
    said = one_line_of(project.snakemake("-n"))
    assert said.startswith(
        f"error: the package that runs is {Path(diffeo_stability.__file__).parent}, not this project's"
    )
    assert "pip install --no-deps -e ." in said


def planned(done):
    """Rules that a dry run would run, with how often."""
    assert done.returncode == 0, done.stdout + done.stderr
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE)}


def test_lists_can_be_given_on_the_command_line(project):
    raw = yaml.safe_load((project.folder / "config" / "smoke.yaml").read_text())
    jobs = planned(project.snakemake("-n", "--quiet", "rules", "--config", "seeds=[0, 1]"))
    assert jobs["train_network"] == len(Plan(parse_config({**raw, "seeds": [0, 1]})).trainings) > 6


def test_report_and_crate_are_called_as_in_make(project, root):
    targets = {"report", "crate", "page", "rocrate", "notebooks"}
    jobs = planned(project.snakemake(*sorted(targets), "-n", "--quiet", "rules"))
    assert targets <= jobs.keys() and jobs["write_report"] == jobs["pack_crate"] == 1
    phony = re.search(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(), flags=re.MULTILINE)[1]
    assert targets <= {*phony.split()}


@pytest.mark.fault("one line")
def test_ctrl_c_in_a_training_is_one_line(project):
    config = project.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text().replace("epochs: 2\n", "epochs: 100000\n"))
    training = "results/smoke/networks/lenet/seed0"
    run = project.start(f"{training}/history.csv")
    wait_until((project.folder / training / "checkpoints.partial" / "epoch0001.json").exists, "a training", run)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=HANGS) == 1
    text = (project.folder / "printed").read_text()
    assert re.search(r"^interrupted at epoch \d+ of 100000; run again to go on$", text, flags=re.MULTILINE)
    assert "Traceback" not in text and "went wrong" not in text


@pytest.mark.fault("one line")
def test_a_missing_network_of_ones_own_is_found_before_any_job(project):
    config = project.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text().replace("lenet: {architecture: lenet}", 'lenet: {architecture: "mine:net"}'))
    line = one_line_of(project.snakemake())
    assert "network mine:net: there is no module mine" in line
    assert not (project.folder / "results").exists()


def test_a_misspelt_figure_is_named_with_the_one_that_is_meant(project):
    done = project.snakemake("figures/smoke/stabilty.pdf", "-n")
    assert done.returncode == 1
    assert "makes no figures/smoke/stabilty.pdf; did you mean figures/smoke/stability.pdf?" in done.stderr
