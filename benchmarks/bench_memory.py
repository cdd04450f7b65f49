"""Peak memory of measuring jobs: it must depend neither on the number of probe images nor on that of checkpoints."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
STEMS = ("stability", "operation_stability", "activation_spectra", "noise_curves", "laplacian_spectra")
RUN_AND_TELL_MEMORY = """
import resource, subprocess, sys
options = ("--quiet", "all", "--configfile", "config.yaml", "--")
subprocess.run([sys.executable, "-m", "snakemake", *options, sys.argv[1]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def peak_of_each_job(folder, images, checkpoints):
    """Peak memory in MiB of the job of each figure, run by Snakemake on a VGG11 of quarter width."""
    folder.mkdir()
    for part in ("Snakefile", "workflow", "profiles", "config"):
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, folder / part)
    config = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    blocks = {stem: config[stem] for stem in STEMS}
    for block in blocks.values():
        if "networks" in block:
            block["networks"] = ["vgg11_bn"]
    shared = ("run", "data_dir", "device", "seeds", "dataset", "training")
    run = {key: config[key] for key in shared} | blocks
    run["networks"] = {"vgg11_bn": {"architecture": "vgg11_bn", "width": 0.25}}
    run["training"] |= {"epochs": 16, "train_size": 100}
    run["checkpoints"] = checkpoints
    run["probe"] = config["probe"] | {"images": images}
    (folder / "config.yaml").write_text(yaml.safe_dump(run))
    measured = "results/smoke/networks/vgg11_bn/seed0"

    def memory(target):
        command = [sys.executable, "-c", RUN_AND_TELL_MEMORY, target]
        done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
        return float(done.stdout.split()[-1])

    memory(f"{measured}/history.csv")
    return {stem: memory(f"{measured}/{stem}.csv") for stem in STEMS}


@pytest.mark.parametrize(("images", "checkpoints"), [(100, 3), (800, 3), (100, 12)])
def test_memory_of_measuring_jobs(benchmark, report, tmp_path, images, checkpoints):
    peaks = benchmark.pedantic(peak_of_each_job, (tmp_path / "run", images, checkpoints), rounds=1)
    report(f"peak memory in MiB, {images} probe images, {checkpoints} checkpoints", **peaks)
