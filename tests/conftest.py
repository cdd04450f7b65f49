"""What several tests share: small real data, and a copy of the project to run the pipeline in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from diffeo_stability.datasets import Dataset, prepare_dataset

ROOT = Path(__file__).parents[1]
PARTS_OF_A_COPY = ("Snakefile", "config", "workflow", "profiles", "pyproject.toml")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def mnist5k(tmp_path_factory) -> Dataset:
    return prepare_dataset("mnist5k", tmp_path_factory.mktemp("data"))


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Project:
    """A copy of the workflow in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True)
        for part in PARTS_OF_A_COPY:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]

    def snakemake(
        self, *arguments: str, config: str = "config/smoke.yaml", env: Mapping[str, str] = os.environ
    ) -> subprocess.CompletedProcess:
        """Run snakemake on a configuration and return what it printed."""
        command = self.command(*arguments, "--configfile", config)
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=env, timeout=900)

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
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory) -> Project:
    """A copy in which the whole smoke run was made once; tests must leave it as they found it."""
    made = Project(tmp_path_factory.mktemp("finished") / "project")
    done = made.snakemake("all", "page", "rocrate")
    assert done.returncode == 0, done.stdout + done.stderr
    return made
