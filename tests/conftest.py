"""What several tests share: small real data, and a copy of the project to run the pipeline in."""

import fcntl
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path

import pytest
import torch
from fuzzing import register_profiles
from preloaded import Preloaded
from waiting import HANGS

from diffeo_stability.data.datasets import Dataset
from diffeo_stability.data.prepare import prepare_dataset

ROOT = Path(__file__).parents[1]
PARTS_OF_A_COPY = ("Snakefile", "config", "workflow", "profiles", "pyproject.toml")
LONGEST = ("test_faults.py", "test_slurm.py", "test_pipeline.py")  # files, each of which takes a worker minutes
SLOW = {"finished", "finished_project", "project", "cluster", "driver", "environment"}  # fixtures of slow tests

register_profiles()


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "slow: runs the pipeline, Slurm, a browser or a notebook, or computes for seconds"
    )
    config.addinivalue_line(
        "markers", "fault(ends_in, count=1): puts faults into a run, which ends in: identical, one line, or unsupported"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Mark what is slow, and let every worker begin with some of it: all others would wait for what begins last.

    A worker gets an equal share of the list, in order, and steals from the end of another's when its own is done. Slow tests
    of a file stay together, as they share what is slow to set up.
    """
    for item in items:
        if SLOW & {*item.fixturenames}:
            item.add_marker(pytest.mark.slow)
    slow = [item for item in items if item.get_closest_marker("slow")]
    fast = [item for item in items if not item.get_closest_marker("slow")]
    files = sorted({item.path.name for item in slow}, key=lambda name: (name not in LONGEST, name))
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    shares = [[item for item in slow if item.path.name in files[number::workers]] for number in range(workers)]
    for number, share in enumerate(shares):
        room = len(items) * (number + 1) // workers - len(items) * number // workers
        share += [fast.pop(0) for _ in range(min(len(fast), max(0, room - len(share))))]
    items[:] = [item for share in shares for item in share] + fast


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def mnist5k(tmp_path_factory) -> Dataset:
    return prepare_dataset("mnist5k", tmp_path_factory.mktemp("data"))


@pytest.fixture
def style():
    """The style of all figures, which are closed afterwards."""
    import matplotlib

    matplotlib.use("agg")
    from diffeo_stability.pipeline import plotting

    plotting.set_style()
    yield
    plotting.plt.close("all")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """A folder and the address at which a local server offers its files."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


@cache
def preloaded() -> Preloaded:
    """Runs modules in processes that need not import Snakemake's libraries again: one of these per worker."""
    return Preloaded(HANGS)


class Project:
    """A copy of the workflow in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def create(cls, folder: Path) -> "Project":
        folder.mkdir(parents=True)
        for part in PARTS_OF_A_COPY:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
        return cls(folder)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]

    def start(self, *arguments: str, env: Mapping[str, str] = os.environ) -> subprocess.Popen:
        """Start snakemake on the smoke run, in a process group of its own; what it prints goes into the file ``printed``."""
        command = [preloaded().interpreter, *self.command(*arguments, "--configfile", "config/smoke.yaml")[1:]]
        with (self.folder / "printed").open("w") as output:
            return subprocess.Popen(
                command, cwd=self.folder, stdout=output, stderr=output, env=env, start_new_session=True
            )

    def snakemake(
        self,
        *arguments: str,
        config: str = "config/smoke.yaml",
        env: Mapping[str, str] = os.environ,
        prefix: Sequence[str] = (),
    ) -> subprocess.CompletedProcess:
        """Run snakemake on a configuration, after the command's prefix if there is one, and return what it printed."""
        command = self.command(*arguments, "--configfile", config)
        if not prefix:
            return preloaded().run(command[1:], self.folder, env)
        return subprocess.run(
            [*prefix, *command], cwd=self.folder, capture_output=True, text=True, env=env, timeout=HANGS
        )

    def made(self) -> dict[str, bytes]:
        """Everything that runs have made: data, checkpoints, measurements, tables, figures, pages and records."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for part in ("data", "results", "figures")
            for path in (self.folder / part).rglob("*")
            if path.is_file() and path.name != ".snakemake_timestamp"
        }


@pytest.fixture
def project(tmp_path) -> Project:
    return Project.create(tmp_path / "project")


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory, worker_id) -> Project:
    """A copy in which the whole smoke run was made once, for all workers; tests must leave it as they found it."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    made = shared / "made"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists():
            return Project(shared / "finished")
        project = Project.create(shared / "finished")
        done = project.snakemake("all", "report", "crate")
        assert done.returncode == 0, done.stdout + done.stderr
        made.touch()
    return project


@pytest.fixture
def finished_copy(finished_project, tmp_path) -> Project:
    """A copy of the finished project, to change something in."""
    return Project(shutil.copytree(finished_project.folder, tmp_path / "project", symlinks=True))
