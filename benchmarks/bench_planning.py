"""How long Snakemake takes to plan a run of the papers' size, and one of ten times its seeds."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "config", "workflow", "profiles", "pyproject.toml")


def plan(folder, config):
    """Seconds of a dry run, and the number of its jobs."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--configfile", str(config)]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    total = next(line for line in (done.stdout + done.stderr).splitlines() if line.startswith("total"))
    return seconds, int(total.split()[1])


def test_planning(benchmark, report, tmp_path):
    """Nothing is there yet, so that every job is planned."""
    for part in PARTS:
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, tmp_path / part)
    usual = tmp_path / "config" / "cifar10.yaml"
    raw = yaml.safe_load(usual.read_text())
    large = tmp_path / "config" / "large.yaml"
    large.write_text(yaml.safe_dump({**raw, "seeds": list(range(10 * len(raw["seeds"])))}))
    (seconds, jobs), (large_seconds, large_jobs) = plan(tmp_path, usual), plan(tmp_path, large)
    report("planning cifar10", jobs=jobs, seconds=seconds)
    report("with ten times the seeds", jobs=large_jobs, seconds=large_seconds, times=large_seconds / seconds)
    benchmark.pedantic(plan, (tmp_path, usual), rounds=1)
