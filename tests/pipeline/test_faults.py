"""Faults put into runs: after each, the next run ends with the files of one that nothing happened to, or with a line that
names the file and the remedy. Nothing half-written is taken for finished.
"""

import http.server
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

NETWORK = "results/smoke/networks/lenet/seed0"
MEASURED = f"{NETWORK}/noise_curves.csv"
COLLECTED = "results/smoke/tables/noise_curves.csv"
CLAIMS = "results/smoke/tables/claims.csv"
# Root may read and write everything; without these two capabilities it is a user like others
AS_A_USER = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


def start(project, *targets):
    """Start a run in a process group of its own."""
    output = (project.folder / "printed").open("w")
    command = project.command(*targets, "--configfile", "config/smoke.yaml")
    return subprocess.Popen(command, cwd=project.folder, stdout=output, stderr=output, start_new_session=True)


def wait_until(there, run=None, seconds=120):
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline and (run is None or run.poll() is None)
        time.sleep(0.01)


def error_of(done):
    """The one line in which a run that failed says why."""
    assert done.returncode != 0 and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    lines = {line for line in done.stderr.splitlines() if line.startswith("error: ")}
    assert len(lines) == 1, done.stderr
    return lines.pop()


def assert_recovers(project, reference, *targets):
    """The next run ends with the files of the reference, and nothing else lies about."""
    done = project.snakemake(*targets)
    assert done.returncode == 0, done.stdout + done.stderr
    made, expected = project.made(), reference.made()
    assert [name for name in made if made[name] != expected.get(name)] == []
    assert set(targets or reference.tables()) <= set(made)


INTERRUPTIONS = {
    "fetching": ("logs/datasets/mnist5k.log", signal.SIGKILL),
    "training": ("results/smoke/networks/vgg11_bn/seed0/checkpoints.partial/epoch0000.json", signal.SIGKILL),
    "training, by the cluster": ("logs/smoke/train_network/fully_connected_2/seed0.log", signal.SIGTERM),
    "measuring": ("logs/smoke/measure_channel_shuffling/vgg11_bn/seed0.log", signal.SIGKILL),
    "drawing": ("logs/smoke/draw_deformations.ipynb", signal.SIGKILL),
}


def test_a_run_ended_in_every_stage_ends_with_the_files_of_one_run(project, finished_project):
    targets = *finished_project.tables(), "figures/smoke/deformations.pdf"
    for trace, ending in INTERRUPTIONS.values():
        run = start(project, *targets)
        wait_until((project.folder / trace).exists, run)
        os.killpg(run.pid, ending)
        run.wait(timeout=60)
        project.snakemake("--unlock")
    assert_recovers(project, finished_project, *targets)


@needs_mount
@pytest.mark.parametrize(
    ("folder", "missing", "table"),
    [
        (NETWORK, ("checkpoints", "history.csv"), f"{NETWORK}/history.csv"),
        ("results/smoke/tables", ("noise_curves.csv",), COLLECTED),
    ],
)
def test_a_full_disk(finished_copy, finished_project, folder, missing, table):
    disk = finished_copy.folder / folder
    aside = disk.rename(finished_copy.folder / "aside")
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    try:
        shutil.copytree(aside, disk, dirs_exist_ok=True)
        for path in missing:
            shutil.rmtree(disk / path) if (disk / path).is_dir() else (disk / path).unlink()
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        line = error_of(finished_copy.snakemake(table))
        assert folder in line and "No space left on device" in line and "free some" in line
        assert not any((disk / path).exists() for path in missing)
        filler.unlink()
        assert_recovers(finished_copy, finished_project, table)
    finally:
        subprocess.run(["umount", disk], check=True)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def corrupt(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def swap(path):
    """With the whole checkpoints of another training, each with the metadata that belong to it."""
    ours, theirs = path.parent, path.parents[2] / "seed0-100-images" / "checkpoints"
    aside = ours.rename(ours.with_name("aside"))
    theirs.rename(ours)
    aside.rename(theirs)


@pytest.mark.parametrize("damage", [truncate, corrupt, swap])
def test_a_damaged_checkpoint(finished_copy, finished_project, damage):
    checkpoints = finished_copy.folder / NETWORK / "checkpoints"
    damage(sorted(checkpoints.glob("*.safetensors"))[-1])
    (finished_copy.folder / MEASURED).unlink()
    (finished_copy.folder / COLLECTED).unlink()
    line = error_of(finished_copy.snakemake(COLLECTED))
    assert f"{NETWORK}/checkpoints" in line and "delete" in line
    for folder in finished_copy.folder.glob("results/smoke/networks/lenet/*/checkpoints"):
        shutil.rmtree(folder)
    assert_recovers(finished_copy, finished_project, COLLECTED)


@pytest.mark.parametrize("table", [MEASURED, COLLECTED])
def test_a_half_written_table(finished_copy, finished_project, table):
    truncate(finished_copy.folder / table)
    line = error_of(finished_copy.snakemake())
    assert table in line and "delete it" in line
    (finished_copy.folder / table).unlink()
    assert_recovers(finished_copy, finished_project, COLLECTED, CLAIMS)


def test_a_deleted_table(finished_copy, finished_project):
    (finished_copy.folder / COLLECTED).unlink()
    assert_recovers(finished_copy, finished_project)
    (finished_copy.folder / MEASURED).unlink()
    assert_recovers(finished_copy, finished_project, MEASURED)


@pytest.mark.parametrize("folder", ["data", "results"])
def test_a_folder_that_must_not_be_read_or_written(finished_copy, finished_project, folder):
    (finished_copy.folder / COLLECTED).unlink()
    (finished_copy.folder / MEASURED).unlink()
    inside = [path for path in (finished_copy.folder / folder).rglob("*") if path.is_dir()]
    folders = [finished_copy.folder / folder, *inside] if folder == "results" else [finished_copy.folder / folder]
    for path in folders:
        path.chmod(0o500 if folder == "results" else 0)
    try:
        line = error_of(finished_copy.snakemake(prefix=AS_A_USER))
    finally:
        for path in folders:
            path.chmod(0o700)
    assert folder in line and "Permission denied: allow yourself" in line
    assert_recovers(finished_copy, finished_project, COLLECTED, CLAIMS)


def test_two_runs_at_once(finished_copy, finished_project):
    log = finished_copy.folder / "logs/smoke/train_network/vgg11_bn/seed0.log"
    log.unlink()
    shutil.rmtree(finished_copy.folder / "results/smoke/networks/vgg11_bn")
    target = "results/smoke/networks/vgg11_bn/seed0/stability.csv"
    first = start(finished_copy, target)
    wait_until(log.exists, first)
    os.killpg(first.pid, signal.SIGSTOP)  # else it could be done before the second one has started
    second = finished_copy.snakemake(target)
    os.killpg(first.pid, signal.SIGCONT)
    assert second.returncode != 0 and "Traceback" not in second.stderr
    assert "Directory cannot be locked" in second.stderr and "--unlock" in second.stderr
    assert first.wait(timeout=120) == 0
    assert_recovers(finished_copy, finished_project, target)


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


@pytest.mark.parametrize("server", [Interrupted, Wrong])
def test_an_interrupted_and_a_wrong_download(finished_copy, finished_project, server):
    config = finished_copy.folder / "config" / "smoke.yaml"
    before = config.read_text()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), server) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{serving.server_address[1]}"
        config.write_text(before.replace("source: mnist5k", f"source: mnist\n  mirror: {address}"))
        line = error_of(finished_copy.snakemake("data/mnist/images.safetensors"))
        serving.shutdown()
    assert "mnist could not be downloaded" in line and "data/mnist/download" in line
    assert not [path for path in finished_copy.folder.glob("data/mnist/**/*") if path.is_file()]
    config.write_text(before)
    shutil.rmtree(finished_copy.folder / "data" / "mnist", ignore_errors=True)
    assert_recovers(finished_copy, finished_project)
