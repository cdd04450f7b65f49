"""A run that cannot go well removes nothing: what its jobs will read is checked before any of them starts, and remedies work."""

import os
import re
import shutil
import time
from types import SimpleNamespace

import pytest

from diffeo_stability.__main__ import main
from diffeo_stability.core.errors import InputError
from diffeo_stability.pipeline.before import check_inputs
from diffeo_stability.pipeline.records import record_of, write_records

CONFIG = "config/smoke.yaml"
IMAGES = "data/mnist5k/images.safetensors"
TABLES = [f"results/smoke/tables/{stem}.csv" for stem in ("interpolation_curves", "laplacian_spectra")]
FIGURE, NOTEBOOK = "figures/smoke/deformations.png", "workflow/notebooks/deformations.py"
TOMORROW = time.time() + 24 * 3600


def refused(project, *arguments):
    """The lines with which a run refuses to start; nothing that was there is touched."""
    before = project.made()
    done = project.snakemake(*arguments)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stdout + done.stderr
    assert project.made() == before
    return [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.startswith("error: ")]


def follow(project, line):
    """Delete what a line says is to be deleted."""
    named = re.search(r": delete ([^ ,]+), run again$", line)[1]
    (project.folder / (line.split()[0] if named == "it" else named)).unlink()


def change(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def assert_nothing_to_do(project):
    done = project.snakemake("-n", "all", "report", "crate")
    assert "Nothing to be done" in done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.fault("one line", 2)
def test_records_that_cannot_be_read(finished_copy, finished_project):
    for table, text in zip(TABLES, ("[]", '{"sha256"'), strict=True):
        (finished_copy.folder / record_of(table)).write_text(text)
    lines = refused(finished_copy)
    assert [line.split()[0] for line in lines] == [str(record_of(table)) for table in TABLES]
    for line in lines:
        follow(finished_copy, line)
    done = finished_copy.snakemake(*TABLES)
    assert done.returncode == 0 and finished_copy.made() == finished_project.made()


@pytest.mark.fault("one line")
def test_images_that_were_changed(finished_copy, finished_project, monkeypatch):
    """Nothing that was made from the right ones is lost: once they are back, they need not be used again."""
    change(finished_copy.folder / IMAGES)
    (line,) = refused(finished_copy)
    assert line.startswith(f"{IMAGES} is not what its job wrote")
    follow(finished_copy, line)
    planned = finished_copy.snakemake("-n", "--quiet", "rules")
    assert re.search(r"^fetch_dataset +1$", planned.stdout + planned.stderr, flags=re.MULTILINE)
    done = finished_copy.snakemake(IMAGES)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.chdir(finished_copy.folder)
    assert main(["adopt", CONFIG]) == 0
    assert_nothing_to_do(finished_copy)
    assert finished_copy.made() == finished_project.made()


@pytest.mark.fault("one line", 2)
def test_what_is_from_the_future(finished_copy, finished_project, monkeypatch):
    """Data, for which there is a command, and a source, which need only be touched: all that was made is kept."""
    for path in (IMAGES, NOTEBOOK):
        os.utime(finished_copy.folder / path, (TOMORROW, TOMORROW))
    for path in (FIGURE, record_of(FIGURE)):
        (finished_copy.folder / path).unlink()
    data, source = sorted(refused(finished_copy))
    assert (
        data.startswith(f"{IMAGES} is from the future (") and f"run python -m diffeo_stability adopt {CONFIG}, " in data
    )
    assert source.startswith(f"{NOTEBOOK} is from the future (") and f"touch {NOTEBOOK}; then run again" in source
    (finished_copy.folder / NOTEBOOK).touch()
    monkeypatch.chdir(finished_copy.folder)
    assert main(["adopt", CONFIG]) == 0
    done = finished_copy.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    assert finished_copy.made() == finished_project.made()


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Two jobs of which one reads what the other makes, beside a file and a folder that were made before."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "last").write_text("last")
    (tmp_path / "images").write_text("images")
    (tmp_path / "given").write_text("given")
    write_records(["weights", "images"], rule="make", inputs={}, params={}, config={"run": "small"})
    first = SimpleNamespace(input=["images", "given"], output=["between"], is_norun=False)
    second = SimpleNamespace(input=["between", "weights"], output=["table"], is_norun=False)
    everything = SimpleNamespace(input=["table", "gone"], output=[], is_norun=True)
    return [first, second, everything]


def test_what_a_job_of_the_run_makes_and_what_has_no_record_is_not_checked(jobs):
    check_inputs(jobs, CONFIG)


def test_a_file_is_hashed_again_once_it_was_written_to(jobs, tmp_path):
    """With the size and the times that it had, too."""
    check_inputs(jobs, CONFIG)
    last = tmp_path / "weights" / "last"
    written = last.stat().st_mtime_ns
    last.write_text("lost")
    os.utime(last, ns=(written, written))
    with pytest.raises(InputError, match=r"^weights is not what its job wrote .*: delete it, run again$"):
        check_inputs(jobs, CONFIG)
    last.write_text("last")
    check_inputs(jobs, CONFIG)
    shutil.copy("images", "weights/more")
    with pytest.raises(InputError, match=r"^weights is not what"):
        check_inputs(jobs, CONFIG)


def test_every_fault_is_named(jobs, tmp_path):
    """A folder made by a job has the time of a file in it."""
    (tmp_path / "weights" / ".snakemake_timestamp").touch()
    for path in ("given", "weights/.snakemake_timestamp"):
        os.utime(path, (TOMORROW, TOMORROW))
    change(tmp_path / "images")
    record_of("weights").write_text("{}")
    with pytest.raises(InputError) as caught:
        check_inputs(jobs, CONFIG)
    assert [line.split(" ", 3)[:3] for line in str(caught.value).splitlines()] == [
        ["images", "is", "not"],
        ["given", "is", "from"],
        ["weights", "is", "from"],
        [".provenance/weights.json", "is", "no"],
    ]
