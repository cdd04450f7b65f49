"""By its records Snakemake makes anew what was made with other settings or from something else, whatever it knows or forgot."""

import json
import re
import shutil

import pytest
from conftest import Project

from diffeo_stability.pipeline.records import record_of

CONFIG = "config/smoke.yaml"
NETWORK = "results/smoke/networks/vgg11_bn/seed0"
EVERYTHING = "all", "report", "crate"
NOTHING = {}


@pytest.fixture(scope="module")
def moved(finished_project, tmp_path_factory):
    """A finished run that was moved with its times, and without what Snakemake knows of it."""
    folder = tmp_path_factory.mktemp("metadata") / "project"
    forgotten = shutil.ignore_patterns(".snakemake")
    return Project(shutil.copytree(finished_project.folder, folder, symlinks=True, ignore=forgotten))


@pytest.fixture
def rewrite(moved):
    """Writes another text into a file, for a test."""
    before = {}

    def write(path, text):
        now = (moved.folder / path).read_text()
        assert text != now
        before.setdefault(path, now)
        (moved.folder / path).write_text(text)

    yield write
    for path, text in before.items():
        (moved.folder / path).write_text(text)


def planned(project, *targets):
    """Rules that Snakemake would run, with how often; those that only collect, draw and write left out."""
    done = project.snakemake(*targets, "-n", "--quiet", "rules")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, flags=re.MULTILINE)
    following = "total", "all", "collect_", "draw_", "evaluate_claims", "write_captions"
    return {rule: int(count) for rule, count in rows if not rule.startswith(following)}


def errors_of(done):
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


@pytest.mark.fault("identical", 5)
def test_a_moved_run_has_nothing_to_do_until_its_configuration_changes(moved, rewrite):
    """And nothing again once that is as it was: what Snakemake was told in between leaves no trace."""
    config = (moved.folder / CONFIG).read_text()
    assert planned(moved, *EVERYTHING) == NOTHING
    rewrite(CONFIG, config.replace("training: {epochs: 3}", "training: {epochs: 4}"))
    assert planned(moved)["train_network"] == 1
    rewrite(CONFIG, config.replace("displacement: 1.0", "displacement: 0.9"))
    found = planned(moved)
    assert found["measure_stability"] == 5 and not {"train_network", "fetch_dataset"} & {*found}
    rewrite(CONFIG, config.replace("seeds: [0]", "seeds: [1]"))
    assert planned(moved)["train_network"] == 8
    (moved.folder / "data").rename(moved.folder / "elsewhere")
    rewrite(CONFIG, config.replace("data_dir: data", "data_dir: elsewhere"))
    assert planned(moved, *EVERYTHING) == NOTHING
    (moved.folder / "elsewhere").rename(moved.folder / "data")
    rewrite(CONFIG, config)
    assert planned(moved, *EVERYTHING) == NOTHING


def with_record(moved, rewrite, path, change):
    """Have a file's record say something else, as it would if the file were another one that came in its place."""
    place = record_of(path).as_posix()
    record = json.loads((moved.folder / place).read_text())
    change(record)
    rewrite(place, json.dumps(record))


@pytest.mark.fault("identical", 3)
def test_files_that_came_in_place_of_others_are_told_by_their_records(moved, rewrite):
    """One with the settings of another configuration, one made from other weights, one made from the tables of more figures."""

    def with_other_settings(record):
        record["params"]["settings"] = {"added": 1}

    def from_other_weights(record):
        record["inputs"][f"{NETWORK}/checkpoints"] = "0" * 64

    def from_more_tables(record):
        record["inputs"]["results/smoke/tables/gone.csv"] = "0" * 64

    with_record(moved, rewrite, f"{NETWORK}/laplacian_spectra.csv", with_other_settings)
    with_record(moved, rewrite, f"{NETWORK}/channel_shuffling.csv", from_other_weights)
    assert planned(moved) == {"measure_laplacian_spectra": 1, "measure_channel_shuffling": 1}
    with_record(moved, rewrite, "results/smoke/report.html", from_more_tables)
    assert planned(moved, "report")["write_report"] == 1


@pytest.mark.fault("one line", 3)
def test_what_came_without_a_record_is_neither_kept_nor_thrown_away(moved):
    """Nor what came with one that is none. Both remedies work."""
    table, other, checkpoints = f"{NETWORK}/stability.csv", f"{NETWORK}/history.csv", f"{NETWORK}/checkpoints"
    shutil.rmtree(moved.folder / ".snakemake")
    places = {path: moved.folder / record_of(path) for path in (table, other, checkpoints)}
    whole = {path: place.read_bytes() for path, place in places.items()}
    before = moved.made()
    places[table].unlink()
    places[other].write_bytes(b"[]")
    places[checkpoints].write_bytes(whole[checkpoints][:100])
    *unreadable, unknown = errors_of(moved.snakemake())
    assert len(unreadable) == 2 and f"came here without a record of how it was made, {record_of(table)}" in unknown
    for path, line in zip((checkpoints, other), sorted(unreadable), strict=True):
        assert f"{record_of(path)} " in line and line.endswith(f": delete {path}, run again")
    assert {path for path, content in before.items() if moved.made().get(path) != content} == {
        record_of(path).as_posix() for path in places
    }
    (moved.folder / table).rename(moved.folder / "away")
    assert all(table not in line for line in errors_of(moved.snakemake("-n")))
    (moved.folder / "away").rename(moved.folder / table)
    for path, place in places.items():
        place.write_bytes(whole[path])
    assert planned(moved) == NOTHING


@pytest.mark.fault("identical", 2)
def test_what_is_gone_is_made_again_with_what_follows_from_it(moved):
    """By ``snakemake`` alone; one figure asks for what it needs."""
    gone = f"{NETWORK}/laplacian_spectra.csv", "results/smoke/networks/lenet/seed0-100-images/checkpoints"
    for number, path in enumerate(gone):
        (moved.folder / path).rename(moved.folder / f"away{number}")
    found, asked_for = planned(moved), planned(moved, "figures/smoke/laplacian_spectra.pdf")
    for number, path in enumerate(gone):
        (moved.folder / f"away{number}").rename(moved.folder / path)
    assert found["train_network"] == found["measure_laplacian_spectra"] == found["measure_stability"] == 1
    assert "fetch_dataset" not in found and asked_for == NOTHING
