"""What a job costs before it does anything, and what Snakemake costs with nothing to do."""

import subprocess
import sys

import pytest

IMPORTS = {
    "nothing": "pass",
    "collecting": "import diffeo_stability.pipeline.tables",
    "training": "import diffeo_stability.networks.training",
    "measuring": "import diffeo_stability.figures.measuring",
    "drawing": "import diffeo_stability.pipeline.plotting",
    "running a notebook": "import diffeo_stability.pipeline.notebooks",
    "downloading (torchvision)": "import torchvision",
    "snakemake": "import snakemake.cli",
}


@pytest.mark.parametrize("job", IMPORTS)
def test_imports(benchmark, job):
    command = [sys.executable, "-c", IMPORTS[job]]
    benchmark.pedantic(subprocess.run, (command,), {"check": True}, rounds=3, warmup_rounds=1)
