"""Results belong to the files of the user's own that they were made from: images, weights and the code of networks."""

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Project
from PIL import Image
from torch import nn

from diffeo_stability.__main__ import main
from diffeo_stability.core.errors import InputError
from diffeo_stability.pipeline.adopt import adopt
from diffeo_stability.pipeline.code import CodeOf
from diffeo_stability.pipeline.config import load_config
from diffeo_stability.pipeline.jobs import check_own_network
from diffeo_stability.pipeline.plan import Plan
from diffeo_stability.pipeline.records import write_records

PIXELS = 12
CONFIG = """
run: own
seeds: [0]
device: cpu
dataset:
  {source: image_folder, name: mine, path: images, image_size: 12, validation_images: 4, normalisation: images}
training: {epochs: 1, batch_size: 10, learning_rate: 0.01}
checkpoints: 2
networks:
  trained: {architecture: "nets.small:small"}
  imported: {architecture: "nets.small:small", weights: weights.pt, init: none}
probe: {images: 10, resamples: 100}
stability: {}
"""
SOURCES = {
    "nets/__init__.py": "",
    "nets/small.py": (
        "from torch import nn\n\nfrom blocks import ACTIVATION\n\nfrom .sizes import PIXELS\n\n\n"
        "def small(in_channels, image_size, classes):\n"
        "    from late import BIAS\n\n"
        "    layers = nn.Linear(PIXELS, 8, bias=BIAS), ACTIVATION(), nn.Linear(8, classes)\n"
        "    return nn.Sequential(nn.Flatten(), *layers)\n"
    ),
    "nets/sizes.py": f"PIXELS = {PIXELS**2}\n",
    "blocks.py": "from torch import nn\n\nACTIVATION = nn.ReLU\n",
    "late.py": "BIAS = True\n",
}
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join((".", os.environ.get("PYTHONPATH", "")))}
TABLE = "results/own/tables/stability.csv"
NOTHING = {}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project in which a table was made of images, weights and networks of one's own."""
    project = Project.create(tmp_path_factory.mktemp("inputs") / "project")
    rng = np.random.default_rng(0)
    for name in (f"{part}/{kind}/{k}" for part in ("train", "test") for kind in "ab" for k in range(12)):
        path = project.folder / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (PIXELS, PIXELS), dtype=np.uint8)
        Image.fromarray(pixels).save(path, compress_level=0)
    for name, text in {**SOURCES, "config/own.yaml": CONFIG}.items():
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).write_text(text)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS**2, 8), nn.ReLU(), nn.Linear(8, 2))
    torch.save(network.state_dict(), project.folder / "weights.pt")
    done = project.snakemake(TABLE, config="config/own.yaml", env=ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def project(finished, tmp_path):
    """A copy of it, with its times."""
    return Project(shutil.copytree(finished.folder, tmp_path / "project", symlinks=True))


def planned(project):
    """Rules that Snakemake would run to make the table, with how often."""
    done = project.snakemake(TABLE, "-n", "--quiet", "rules", config="config/own.yaml", env=ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in rows if rule != "total"}


AFTER_THE_DATA = {"train_network": 1, "import_network": 1, "measure_stability": 2, "collect_stability": 1}
AFTER_TRAINING = {"train_network": 1, "measure_stability": 1, "collect_stability": 1}
AFTER_IMPORT = {"import_network": 1, "measure_stability": 1, "collect_stability": 1}


def test_times_and_files_that_are_no_images_make_nothing_anew(project):
    """In a copy to another folder, too."""
    for name in (".DS_Store", "train/a/Thumbs.db", "train/b/.hidden.png"):
        (project.folder / "images" / name).write_bytes(b"of the system")
    for path in (*(project.folder / "images").rglob("*"), project.folder / "weights.pt", project.folder / "blocks.py"):
        os.utime(path)
    (project.folder / "blocks.py").write_text("# Activations\n" + SOURCES["blocks.py"])
    assert planned(project) == NOTHING


def test_a_file_that_a_network_of_ones_own_uses_trains_and_imports_it_again(project):
    """Which files it uses, ``test_fingerprint.py`` asks."""
    (project.folder / "nets" / "sizes.py").write_text(SOURCES["nets/sizes.py"] + "\nADDED = 1\n")
    assert planned(project) == AFTER_THE_DATA


def test_a_figure_that_is_added_afterwards_measures_no_old_weights_with_new_code(project):
    (project.folder / "blocks.py").write_text(SOURCES["blocks.py"].replace("ReLU", "Tanh"))
    config = project.folder / "config" / "own.yaml"
    config.write_text(CONFIG + "activation_spectra: {networks: [trained]}\n")
    table = "results/own/tables/activation_spectra.csv"
    done = project.snakemake(table, "-n", "--quiet", "rules", config="config/own.yaml", env=ENVIRONMENT)
    assert re.search(r"^train_network +1$", done.stdout + done.stderr, flags=re.MULTILINE), done.stdout + done.stderr


def test_what_is_left_of_a_figure_is_named_when_a_run_is_planned(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    Path("figures/own").mkdir(parents=True)
    for path in (Path("figures/own/noise_curves.pdf"), Path("figures/own/stability.pdf")):
        path.write_text("drawn")
        write_records([path], rule="draw", inputs={}, params={}, config={"run": "own"})
    done = project.snakemake(TABLE, "-n", config="config/own.yaml", env=ENVIRONMENT)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("note: ") and "tidy" in line]
    assert done.returncode == 0 and "noise_curves.pdf" in line and "stability.pdf" not in line
    assert line.endswith("python -m diffeo_stability tidy config/own.yaml removes them")


def provenance(project, monkeypatch, capsys):
    """Exit status of the command, and the lines that name something that changed."""
    monkeypatch.chdir(project.folder)
    status = main(["provenance", TABLE])
    return status, [line for line in capsys.readouterr().out.splitlines() if "CHANGED" in line]


def test_an_image_overwritten_in_place_is_noticed(project, monkeypatch, capsys):
    image = project.folder / "images/train/a/0.png"
    size = image.stat().st_size
    shutil.copyfile(project.folder / "images/train/b/0.png", image)
    os.utime(image, (1e9, 1e9))
    assert image.stat().st_size == size
    assert planned(project) == {"fetch_dataset": 1, **AFTER_THE_DATA}
    status, (line,) = provenance(project, monkeypatch, capsys)
    assert status == 1 and " images  [CHANGED since]" in line


def test_weights_overwritten_by_older_ones_are_noticed(project, monkeypatch, capsys):
    weights = torch.load(project.folder / "weights.pt", weights_only=True)
    torch.save({name: 2 * tensor for name, tensor in weights.items()}, project.folder / "weights.pt")
    os.utime(project.folder / "weights.pt", (1e9, 1e9))
    assert planned(project) == AFTER_IMPORT
    status, (line,) = provenance(project, monkeypatch, capsys)
    assert status == 1 and " weights.pt  [CHANGED since]" in line
    with pytest.raises(InputError, match=r"checkpoints was made from another weights.pt: delete"):
        adopt(load_config("config/own.yaml"))


def test_provenance_names_what_was_brought_along(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.folder)
    assert main(["provenance", TABLE]) == 0
    tree = capsys.readouterr().out
    assert " images  [brought from outside, unchanged]" in tree
    assert " weights.pt  [brought from outside, unchanged]" in tree


def test_another_path_makes_anew_what_was_made_from_the_old_one(project):
    shutil.copytree(project.folder / "images", project.folder / "others")
    shutil.copy(project.folder / "weights.pt", project.folder / "other.pt")
    config = project.folder / "config" / "own.yaml"
    config.write_text(CONFIG.replace("weights.pt", "other.pt"))
    assert planned(project) == AFTER_IMPORT
    config.write_text(CONFIG.replace("path: images", "path: others"))
    assert planned(project) == {"fetch_dataset": 1, **AFTER_THE_DATA}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("path: images", "path: imagse", "error: dataset.path: imagse does not exist: correct it, or put there"),
        (
            "nets.small",
            "nets.smal",
            "error: network nets.smal:small: there is no module nets.smal: install it, or start with PYTHONPATH",
        ),
    ],
)
def test_a_misspelt_path_over_a_finished_run_ends_in_one_line_at_planning(project, old, new, message):
    (project.folder / "config" / "own.yaml").write_text(CONFIG.replace(old, new))
    before = project.made()
    done = project.snakemake(TABLE, config="config/own.yaml", env=ENVIRONMENT)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "profile" not in line]
    assert done.returncode == 1 and len(lines) == 1 and re.match(message, lines[0])
    assert project.made() == before


def test_code_that_planning_cannot_see_is_refused(tmp_path, monkeypatch):
    """And what it says to do about it helps."""
    monkeypatch.syspath_prepend(str(tmp_path))
    network = {"in_channels": 1, "image_size": PIXELS, "classes": 2}
    for name in ("seen_blocks", "unseen_blocks"):
        (tmp_path / f"{name}.py").write_text("from torch.nn import Flatten as flatten\n")
    text = "import importlib\nimport seen_blocks\n{}\n\ndef build(in_channels, image_size, classes):\n{}\n"
    build = "    return importlib.import_module('unseen_' + 'blocks').flatten()"
    (tmp_path / "hiding.py").write_text(text.format("", build))
    (tmp_path / "showing.py").write_text(text.format("import unseen_blocks", build))
    with pytest.raises(
        InputError,
        match=r"hiding:build imports .*unseen_blocks.py in a way that its sources do not show.*'import unseen_blocks'",
    ):
        check_own_network({"name": "hiding:build", **network})
    for module in ("seen_blocks", "unseen_blocks"):
        monkeypatch.delitem(sys.modules, module)
    check_own_network({"name": "showing:build", **network})
    check_own_network({"name": "lenet", **network})


def test_every_path_that_does_not_exist_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for named, remedy in (
        ("wieghts.pt", "put there what it names"),
        ("w" * 300 + ".pt", "put there what it names"),
        ("package:no_such/w.pt", "install the package"),
    ):
        (tmp_path / "own.yaml").write_text(CONFIG.replace("weights.pt", named))
        with pytest.raises(InputError) as caught:
            Plan(load_config("own.yaml")).check_sources()
        assert str(caught.value).splitlines() == [
            "dataset.path: images does not exist: correct it, or put there what it names",
            f"networks.imported.weights: {named} does not exist: correct it, or {remedy}",
        ]


FOLDER = "source: image_folder, name: mine, path: images, image_size: 12"
ARRAYS = "source: arrays, name: mine, path: "


@pytest.mark.fault("one line")
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("path: images", "path: text", "text is neither a folder nor an archive: it must end in .tar"),
        (FOLDER, f"{ARRAYS}text", "dataset.path: text is no .npz file"),
        (FOLDER, f"{ARRAYS}images", "dataset.path: images is no .npz file"),
        ("weights.pt", "folder.pt", "networks.imported.weights: folder.pt is a folder: name a file in it"),
    ],
)
def test_what_is_of_another_kind_is_named_before_anything_is_removed(tmp_path, monkeypatch, old, new, message):
    monkeypatch.chdir(tmp_path)
    for part in ("train", "test"):
        for number in range(10):
            (tmp_path / "images" / part / "a" / f"{number}.png").mkdir(parents=True)
    for name in ("text", "weights.pt"):
        (tmp_path / name).write_text("text")
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "own.yaml").write_text(CONFIG.replace(old, new))
    with pytest.raises(InputError, match=message):
        Plan(load_config("own.yaml")).check_sources()


@pytest.mark.parametrize(
    ("name", "content"),
    [("unfinished_net", b"def build(:\n"), ("null_net", b"build = 1\0\n"), ("latin_net", b"build = '\xe9'\n")],
)
def test_a_network_that_is_no_python_is_named(tmp_path, monkeypatch, name, content):
    (tmp_path / "own.yaml").write_text(CONFIG.replace("nets.small:small", f"{name}:build"))
    (tmp_path / f"{name}.py").write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"networks.trained.architecture: ") as caught:
        CodeOf(tmp_path, load_config(tmp_path / "own.yaml")).check_networks()
    assert len(str(caught.value).splitlines()) == 1
