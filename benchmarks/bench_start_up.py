"""What a job costs before it does anything, what the library costs beside torch, and what Snakemake costs with nothing to do."""

import subprocess
import sys
from functools import partial

import pytest
from timing import ratio, seconds_in_turn

IMPORTS = {
    "nothing": "pass",
    "planning": "import diffeo_stability.pipeline.plan",
    "collecting": "import diffeo_stability.pipeline.tables",
    "training": "import diffeo_stability.networks.training",
    "measuring": "import diffeo_stability.figures.measuring",
    "drawing": "import diffeo_stability.pipeline.plotting",
    "running a notebook": "import diffeo_stability.pipeline.notebooks",
    "downloading (torchvision)": "import torchvision",
    "snakemake": "import snakemake.cli",
}


def start(code):
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("job", IMPORTS)
def test_imports(benchmark, job):
    benchmark.pedantic(start, (IMPORTS[job],), rounds=3, warmup_rounds=1)


def test_the_library_beside_torch(benchmark, report):
    """At most 1.2 times: who wants the number alone waits for torch and for nothing else."""
    library = partial(start, "from diffeo_stability import relative_stability")
    times = seconds_in_turn(5, library=library, torch=partial(start, "import torch"))
    report("from diffeo_stability import relative_stability, over import torch", times=ratio(times, "library", "torch"))
    benchmark.pedantic(library, rounds=1)
