"""What counts as code that decides a result, and what does not."""

import ast
import subprocess
import sys
import textwrap

import pytest

from diffeo_stability.core.errors import InputError
from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline import reading
from diffeo_stability.pipeline.code import CodeOf
from diffeo_stability.pipeline.config import load_config
from diffeo_stability.pipeline.fingerprint import (
    PACKAGE,
    fingerprint,
    fingerprint_of_module,
    source_of,
    sources_used_by,
)
from diffeo_stability.pipeline.reading import read_source

SOURCE = '''
"""What this module is for."""

from __future__ import annotations

import math
from typing import NamedTuple

LIMIT = 3  # pixels


class Point(NamedTuple):
    """A place."""

    x: float
    y: float = 0.0


def area(radius: float) -> float:
    """Return the area of a disc."""
    if radius > LIMIT:
        raise ValueError("too large")
    return math.pi * radius**2
'''


def of(tmp_path, text, name="module.py"):
    """The fingerprint of a source, read anew."""
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    (folder / name).write_text(text)
    return fingerprint(folder / name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # pixels", "  # of a side"),
        ('"""What this module is for."""', '"""Something else."""'),
        ('    """Return the area of a disc."""\n', ""),
        ("radius: float) -> float", "radius: int | float) -> complex"),
        ("radius: float) -> float", "radius)"),
        ("x: float", "x: int"),
        ("from __future__ import annotations\n\n", ""),
        ("import math\nfrom typing import NamedTuple\n", "from typing import NamedTuple\nimport math\n"),
        ("import math\n", "import math\nfrom collections.abc import Sequence\nfrom typing import TYPE_CHECKING\n"),
        ("LIMIT = 3", "if TYPE_CHECKING:\n    from pathlib import Path\n\nLIMIT = 3"),
        ('raise ValueError("too large")', "raise ValueError('too large')"),
        ("return math.pi * radius**2", "return (\n        math.pi\n        * radius ** 2\n    )"),
    ],
)
def test_what_is_no_code_changes_nothing(tmp_path, old, new):
    assert SOURCE.count(old) >= 1
    assert of(tmp_path, SOURCE.replace(old, new)) == of(tmp_path, SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("radius > LIMIT", "radius >= LIMIT"),
        ("radius**2", "radius**3"),
        ("y: float = 0.0", "y: float = 1.0"),
        ("    x: float\n", ""),
        ("import math", "import cmath as math"),
        ("def area(radius: float)", "def area(radius: float = 1)"),
        ("class Point", "@final\nclass Point"),
    ],
)
def test_code_changes_it(tmp_path, old, new):
    assert old in SOURCE
    assert of(tmp_path, SOURCE.replace(old, new)) != of(tmp_path, SOURCE)


def test_a_folder_that_is_moved_changes_nothing(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text(SOURCE)
    assert fingerprint(tmp_path / "here" / "module.py") == fingerprint(tmp_path / "there" / "module.py")


NETWORK_OF_MINE = """
import importlib
import sys
from typing import TYPE_CHECKING

import torch
from beside import ACTIVATION
from . import sizes
from .blocks import *
from .deeper.still import depth
from sub.module import width
from spaces import inner
import effects

if TYPE_CHECKING:
    from hints import Hint

sys.path.append("somewhere")
from found_later import PADDING


def network(in_channels, image_size, classes):
    from inside import build

    importlib.import_module("by_name")
    __import__("by_dunder")
    return build(ACTIVATION, depth, width)
"""
USED = (
    *("mine/__init__.py", "mine/network.py", "mine/sizes.py", "mine/blocks.py", "mine/deeper/__init__.py"),
    *("mine/deeper/still.py", "mine/above.py", "mine/found_later.py", "sub/__init__.py", "sub/module.py"),
    *("spaces/inner.py", "beside.py", "effects.py", "inside.py", "by_name.py", "by_dunder.py"),
)
UNUSED = ("hints.py", "mine/unused.py", "beside/module.py")


def test_all_files_that_ones_own_network_imports_count(tmp_path):
    """In a process of its own, as what was imported from where is remembered."""
    for name in (*USED, *UNUSED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "mine/network.py").write_text(NETWORK_OF_MINE)
    (tmp_path / "mine/deeper/still.py").write_text("from ..above import depth\n")
    code = """
        from pathlib import Path
        from diffeo_stability.pipeline.fingerprint import source_of, sources_used_by

        for path in sources_used_by(source_of("mine.network")):
            print(path.relative_to(Path.cwd()).as_posix())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{PACKAGE.parent}"},
        capture_output=True,
        text=True,
    )
    assert sorted(done.stdout.split()) == sorted(USED), done.stderr


def test_a_network_that_builds_on_one_of_this_package_has_all_of_them_count(tmp_path, monkeypatch):
    """As it is built by its name, which may be any."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_vgg.py").write_text("from diffeo_stability import build_network\n\nbuild = build_network\n")
    (tmp_path / "own_linear.py").write_text("from torch import nn\n\nbuild = nn.Linear\n")
    sources = {name: source_of(name) for name in ("own_vgg", "own_linear")}
    architectures = sorted((PACKAGE / "networks" / "architectures").glob("*.py"))
    assert fingerprint_of_module("own_vgg") == fingerprint(sources["own_vgg"], *architectures)
    assert fingerprint_of_module("own_linear") == fingerprint(sources["own_linear"])


def test_of_an_installed_network_its_whole_package_counts(tmp_path, monkeypatch):
    for name in ("__init__", "network", "blocks"):
        (tmp_path / "installed_nets").mkdir(exist_ok=True)
        (tmp_path / "installed_nets" / f"{name}.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("diffeo_stability.pipeline.fingerprint.INSTALLED", (tmp_path,))
    before = fingerprint_of_module("installed_nets.network")
    (tmp_path / "installed_nets" / "blocks.py").write_text("depth = 2\n")
    assert fingerprint_of_module("installed_nets.network") != before


def test_a_module_that_is_nowhere_is_named():
    with pytest.raises(InputError, match=r"no_such.module is not found: .* PYTHONPATH=<the folder of no_such>"):
        fingerprint_of_module("no_such.module")


@pytest.fixture(scope="module")
def code(root):
    return CodeOf(root, load_config(root / "config" / "mnist5k.yaml"))


def used_by(root, script, *names):
    paths = sources_used_by(root / "workflow" / "scripts" / script, *(PACKAGE / name for name in names))
    return {path.relative_to(PACKAGE).as_posix() for path in paths if path.is_relative_to(PACKAGE)}


def test_a_training_uses_what_decides_its_weights_and_nothing_else(root):
    used = used_by(root, "train_network.py", "networks/training.py", "networks/build.py")
    assert {"networks/batch_norm.py", "networks/evaluation.py", "data/datasets.py", "core/seeds.py"} <= used
    assert not any(name.startswith(("pipeline", "figures", "networks/architectures")) for name in used)
    assert not used & {"data/files.py", "data/tensors.py", "networks/checkpoints.py", "networks/settings.py"}
    assert "networks/progress.py" not in used


def test_a_network_has_the_fingerprint_of_its_own_file(code):
    assert code.network("vgg11") == code.network("vgg16_bn") != code.network("resnet18")


def test_the_report_is_written_again_when_anything_that_writes_it_changes(root):
    class NamedCode(CodeOf):
        def script(self, name, *modules):
            return modules

    tree = ast.parse((PACKAGE / "pipeline" / "report.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1}
    named = NamedCode(root, load_config(root / "config" / "mnist5k.yaml")).report()
    assert "forest" in imported and {f"pipeline.{module}" for module in imported - {"tables"}} <= {*named}


def test_no_figure_uses_the_room_of_another_one(root):
    for room in (PACKAGE / "figures").iterdir():
        if (room / "measurement.py").exists():
            used = used_by(root, "measure.py", f"figures/{room.name}/measurement.py")
            assert {name.split("/")[1] for name in used if name.count("/") == 2} <= {room.name, "architectures"}
            assert not any(name.startswith("pipeline") for name in used), room.name


def test_sources_are_found_without_running_them():
    assert source_of("diffeo_stability.core.seeds") == PACKAGE / "core" / "seeds.py"
    assert source_of("no_such_module_anywhere") is None
    assert source_of("sys") is None


def run(code):
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_planning_imports_no_torch():
    run(
        "import sys; from diffeo_stability.pipeline import code, plan;"
        "assert not {'torch', 'numpy', 'pandas', 'scipy'} & set(sys.modules)"
    )


@pytest.mark.parametrize("stem", ["stability_vs_train_size", "first_layer_filters"])
def test_jobs_that_collect_tables_do_not_wait_for_torch(stem):
    run(
        "import sys; from diffeo_stability.pipeline import jobs, tables;"
        f"from diffeo_stability.figures.{stem} import collection; assert 'torch' not in sys.modules"
    )


def test_captions_and_claims_do_not_wait_for_torch():
    rooms = [
        f"{stem}.{part}" for stem, figure in FIGURES.items() for part in ("findings", "claims") if figure.has(part)
    ]
    imports = "".join(f"import diffeo_stability.figures.{room};" for room in rooms)
    run(
        f"import sys; from diffeo_stability.pipeline import captions, claims, jobs; {imports} assert 'torch' not in sys.modules"
    )


def test_training_jobs_do_not_wait_for_torchvision():
    run(
        "import sys; from diffeo_stability.networks import build, training;"
        "from diffeo_stability.data import store; assert 'torchvision' not in sys.modules"
    )


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A module, and the note of what was read of it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    module = tmp_path / "module.py"
    module.write_text(SOURCE)
    read_source(module)
    (note,) = (tmp_path / "__pycache__").iterdir()
    return module, note


def test_what_was_read_is_kept_until_the_source_changes(kept, monkeypatch):
    module, note = kept
    read, written = read_source(module), note.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(reading, "_read", lambda _tree: pytest.fail("it was read again"))
        assert read_source(module) == read
    module.write_text(SOURCE.replace("LIMIT = 3", "LIMIT = 4"))
    assert read_source(module).digest != read.digest and note.read_bytes() != written
    module.write_text(SOURCE)
    assert read_source(module) == read


@pytest.mark.parametrize("note_holds", [b"", b"[]", b"{}", b'{"state": 1}', b"\xff", b"[" * 100_000, None])
def test_notes_that_are_none_are_read_over(kept, note_holds):
    module, note = kept
    read, written = read_source(module), note.read_bytes()
    forged = written.replace(read.digest.encode(), b"\xff") if note_holds is None else note_holds
    note.write_bytes(forged)
    assert read_source(module) == read and note.read_bytes() == written


def test_where_nothing_can_be_kept_all_is_read(kept):
    module, note = kept
    read = read_source(module)
    note.unlink()
    note.mkdir()
    assert read_source(module) == read
