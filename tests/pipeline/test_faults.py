"""Faults put into runs: after each, the next run ends with the files of one that nothing happened to, or with a line that
names the file and the remedy. Nothing half-written is taken for finished.
"""

import http.server
import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager

import pytest
from waiting import HANGS, wait_until

NETWORK = "results/smoke/networks/lenet/seed0"
MEASURED = f"{NETWORK}/noise_curves.csv"
COLLECTED = "results/smoke/tables/noise_curves.csv"
COLLECTED_TOO = "results/smoke/tables/laplacian_spectra.csv"
CLAIMS = "results/smoke/tables/claims.csv"
# Root may read and write everything; without these two capabilities it is a user like others
AS_A_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


def errors_of(done, *places):
    """The lines in which a run that failed says why: of each place, and of no other one."""
    assert done.returncode != 0 and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    lines = {line for line in done.stderr.splitlines() if line.startswith("error: ")}
    found = [next((line for line in lines if place in line), None) for place in places]
    assert lines == {*found} and len(lines) == len(places), done.stderr
    return found


def assert_there(project, reference, *targets):
    """The targets are there, and everything that is has the content that it has in the reference."""
    made, expected = project.made(), reference.made()
    assert [name for name in made if made[name] != expected.get(name)] == []
    assert set(targets) <= set(made)


def assert_recovers(project, reference, *targets):
    """The next run ends with the files of the reference, and nothing else lies about."""
    done = project.snakemake(*targets)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_there(project, reference, *targets)


INTERRUPTIONS = {
    "fetching": ("logs/datasets/mnist5k.log", signal.SIGKILL),
    "training": ("results/smoke/networks/vgg11_bn/seed0/checkpoints.partial/epoch0000.json", signal.SIGKILL),
    "training, by the cluster": ("logs/smoke/train_network/fully_connected_2/seed0.log", signal.SIGTERM),
    "measuring": ("logs/smoke/measure_channel_shuffling/vgg11_bn/seed0.log", signal.SIGKILL),
    "drawing": ("logs/smoke/draw_deformations.ipynb", signal.SIGKILL),
}


@pytest.mark.fault("identical", 5)
def test_a_run_ended_in_every_stage_ends_with_the_files_of_one_run(project, finished_project):
    measured = "results/smoke/networks/fully_connected_2/seed0/stability.csv"
    tables = (f"results/smoke/tables/channel_shuffling{kind}.csv" for kind in ("", "_summary"))
    targets = measured, *tables, "figures/smoke/deformations.pdf"
    for number, (stage, (trace, ending)) in enumerate(INTERRUPTIONS.items()):
        # The first one's lock is taken away at the end
        run = project.start(*targets, *(["--nolock"] if number else []))
        wait_until((project.folder / trace).exists, stage, run)
        os.killpg(run.pid, ending)
        run.wait(timeout=HANGS)
    project.snakemake("--unlock")
    assert_recovers(project, finished_project, *targets)


@contextmanager
def full_disk(project, folder, *missing):
    """A full disk in the place of a folder, with all that was there but for some; gives the file that fills it."""
    aside = folder.rename(project.folder / f"aside-{folder.name}")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        for path in missing:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        filler = folder / "filler"
        with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield filler
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.fault("one line", 2)
@needs_mount
def test_full_disks(finished_copy, finished_project):
    """One where a training writes, one where tables are collected."""
    folders = NETWORK, "results/smoke/tables"
    targets = f"{NETWORK}/history.csv", COLLECTED_TOO
    network, tables = (finished_copy.folder / folder for folder in folders)
    trained, collected = (network / "checkpoints", network / "history.csv"), finished_copy.folder / COLLECTED_TOO
    with full_disk(finished_copy, network, *trained) as first, full_disk(finished_copy, tables, collected) as second:
        for line in errors_of(finished_copy.snakemake(*targets), *folders):
            assert "No space left on device" in line and "free some" in line
        assert not any(path.exists() for path in (*trained, collected))
        for filler in (first, second):
            filler.unlink()
        assert_recovers(finished_copy, finished_project, *targets)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def corrupt(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def swap(path):
    """With the whole checkpoints of another training, each with the metadata that belong to it."""
    ours, theirs = path.parent, path.parents[2] / "seed0-100-images" / "checkpoints"
    shutil.rmtree(ours)
    shutil.copytree(theirs, ours)


@pytest.mark.fault("one line", 3)
def test_damaged_checkpoints(finished_copy, finished_project):
    damages = {"fully_connected_2": truncate, "one_hidden_layer_cnn": corrupt, "lenet": swap}
    folders = {net: f"results/smoke/networks/{net}/seed0" for net in damages}
    measured = [f"{folder}/stability.csv" for folder in folders.values()]
    for net, damage in damages.items():
        checkpoints = finished_copy.folder / folders[net] / "checkpoints"
        damage(sorted(checkpoints.glob("*.safetensors"))[-1])
        (finished_copy.folder / folders[net] / "stability.csv").unlink()
    named = [f"{folder}/checkpoints" for folder in folders.values()]
    for line in errors_of(finished_copy.snakemake(*measured), *named):
        assert "delete" in line
    for folder in named:
        shutil.rmtree(finished_copy.folder / folder)
    assert_recovers(finished_copy, finished_project, *measured)


@pytest.mark.fault("one line", 2)
@pytest.mark.fault("identical", 2)
def test_half_written_and_deleted_tables(finished_copy, finished_project):
    """What is half-written has to be deleted by hand; what is gone is made again, and nothing is said of it."""
    halves, deleted = (MEASURED, COLLECTED_TOO), "results/smoke/tables/stability_vs_train_size.csv"
    for table in halves:
        truncate(finished_copy.folder / table)
    for line in errors_of(finished_copy.snakemake(), *halves):
        assert "delete it" in line
    for table in (*halves, deleted):
        (finished_copy.folder / table).unlink()
    assert_recovers(finished_copy, finished_project, COLLECTED, COLLECTED_TOO, deleted, CLAIMS)


@pytest.mark.fault("one line", 2)
def test_folders_that_must_not_be_read_or_written(finished_copy, finished_project):
    (finished_copy.folder / COLLECTED_TOO).unlink()
    for part, mode in (("data", 0), ("results", 0o500)):
        folder = finished_copy.folder / part
        folders = [folder, *(path for path in folder.rglob("*") if path.is_dir() and part == "results")]
        for path in folders:
            path.chmod(mode)
        try:
            (line,) = errors_of(finished_copy.snakemake(prefix=AS_A_USER), part)
        finally:
            for path in folders:
                path.chmod(0o700)
        assert "Permission denied: allow yourself" in line
    assert_recovers(finished_copy, finished_project, COLLECTED_TOO)


@pytest.mark.fault("one line")
def test_two_runs_at_once(finished_copy, finished_project):
    locks = finished_copy.folder / ".snakemake" / "locks"
    (finished_copy.folder / MEASURED).unlink()
    first = finished_copy.start(MEASURED)
    wait_until(lambda: any(lock.stat().st_size for lock in locks.glob("*.output.lock")), "a run to begin", first)
    os.killpg(first.pid, signal.SIGSTOP)  # else it could be done before the second one has started
    second = finished_copy.snakemake(MEASURED)
    os.killpg(first.pid, signal.SIGCONT)
    assert second.returncode != 0 and "Traceback" not in second.stderr
    assert "Directory cannot be locked" in second.stderr and "--unlock" in second.stderr
    assert first.wait(timeout=HANGS) == 0
    assert_there(finished_copy, finished_project, MEASURED)


class Interrupted(http.server.BaseHTTPRequestHandler):
    """Promises a thousand bytes and goes away after ten."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"0" * 10)

    def log_message(self, *_):
        pass


class Wrong(Interrupted):
    """Sends something else than what was asked for."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"0" * 10)


@pytest.mark.fault("one line", 2)
def test_an_interrupted_and_a_wrong_download(project):
    config = project.folder / "config" / "smoke.yaml"
    before = config.read_text()
    for server in (Interrupted, Wrong):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), server) as serving:
            threading.Thread(target=serving.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{serving.server_address[1]}"
            config.write_text(before.replace("source: mnist5k", f"source: mnist\n  mirror: {address}"))
            (line,) = errors_of(project.snakemake("data/mnist/images.safetensors"), "data/mnist/download by hand")
            serving.shutdown()
        assert "mnist could not be downloaded" in line
        assert project.made() == {}


LEAVING = """
import os
import resource
from pathlib import Path

from torch import nn


def leaves(in_channels, image_size, classes):
    os._exit(3)


def leaves_as_if_done(in_channels, image_size, classes):
    os._exit(0)


def starves(in_channels, image_size, classes):
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used, used))  # what ulimit -v sets
    return nn.Linear(2**15, 2**15)
"""


@pytest.mark.fault("one line", 4)
def test_networks_that_end_the_process_or_have_no_memory_and_a_notebook_that_is_no_python(finished_copy):
    """Each is one line, and what has nothing to do with them is made."""
    folder, names = finished_copy.folder, ("leaves", "leaves_as_if_done", "starves")
    (folder / "leaving.py").write_text(LEAVING)
    config, notebook = folder / "config" / "smoke.yaml", folder / "workflow" / "notebooks" / "noise_curves.py"
    added = "".join(f"  {name}: {{architecture: 'leaving:{name}'}}\n" for name in names)
    config.write_text(config.read_text().replace("networks:\n", f"networks:\n{added}", 1))
    notebook.write_text(f"{notebook.read_text()}\nfirst = = 1\n")
    (folder / "figures" / "smoke" / "deformations.png").unlink()
    trained = [f"results/smoke/networks/{name}/seed0/history.csv" for name in names]
    figures = [f"figures/smoke/{stem}.png" for stem in ("noise_curves", "deformations")]
    done = finished_copy.snakemake(
        *trained,
        *figures,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (".", os.environ.get("PYTHONPATH"))))},
    )
    last_line = len(notebook.read_text().splitlines())
    errors_of(done, f"workflow/notebooks/noise_curves.py:{last_line}: SyntaxError", "there was not enough memory (")
    said = done.stderr.partition("4 jobs went wrong:")[2].splitlines()
    for name in names[:2]:
        assert any(f"Training: {name}, seed0: it ended without a word: " in one and "os._exit" in one for one in said)
    assert (folder / "figures" / "smoke" / "deformations.png").exists()


STARVING = """
import os
import resource
import sys
from pathlib import Path


class Starving:
    def find_spec(self, name, *_):
        if name == "torch":
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 2**26
            resource.setrlimit(resource.RLIMIT_AS, (used, used))  # what ulimit -v sets


sys.meta_path.insert(0, Starving())
"""


@pytest.mark.fault("one line")
def test_a_job_whose_limit_leaves_no_room_to_import_torch(project, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(STARVING)
    paths = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    env = os.environ | {"PYTHONPATH": paths}
    done = project.snakemake("data/mnist5k/images.safetensors", env=env, prefix=("env",))  # whose jobs do import torch
    (line,) = errors_of(done, "there was not enough memory (")
    assert "ulimit -v" in line
    assert project.made() == {}
