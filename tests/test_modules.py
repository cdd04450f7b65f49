"""The imports that rules depend on, found without running, against the ones that Python really makes."""

import subprocess
import sys

import pytest

from diffeo_stability.modules import PACKAGE, code_hash, modules_used_by

SOURCES = sorted(
    [*PACKAGE.parents[1].glob("workflow/scripts/*.py"), *PACKAGE.parents[1].glob("workflow/notebooks/*.py")]
)

IMPORT_WHAT_IT_IMPORTS = """
import ast, importlib, sys
from pathlib import Path
for node in ast.parse(Path(sys.argv[1]).read_text()).body:
    if isinstance(node, ast.Import | ast.ImportFrom):
        exec(compile(ast.Module([node], []), sys.argv[1], "exec"))
for name in sorted(sys.modules):
    if name.startswith("diffeo_stability."):
        print(sys.modules[name].__file__)
"""


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_found_imports_cover_the_real_ones(source):
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WHAT_IT_IMPORTS, str(source)], capture_output=True, text=True, check=True
    )
    real = set(done.stdout.split())
    found = {str(path) for path in modules_used_by(source)}
    assert real and real <= found
    # What is found but not imported at the top is imported inside a function or by the notebook's first cell
    assert len(found - real) <= 3


def test_every_rule_declares_the_modules_of_its_script(root):
    for rules in (root / "workflow" / "rules").glob("*.smk"):
        text = rules.read_text()
        for script in ("scripts", "notebooks"):
            for source in (root / "workflow" / script).glob("*.py"):
                if f'"../{script}/{source.name}"' in text and source.stem != "run_notebook":
                    assert f'used_by("workflow/{script}/{source.name}")' in text
        for notebook in (root / "workflow" / "notebooks").glob("*.py"):
            if f'notebook="workflow/notebooks/{notebook.name}"' in text:
                assert f'used_by("workflow/notebooks/{notebook.name}")' in text


def test_light_jobs_do_not_wait_for_torch():
    for script in ("collect_stability.py", "collect_stability_vs_train_size.py"):
        source = PACKAGE.parents[1] / "workflow" / "scripts" / script
        code = IMPORT_WHAT_IT_IMPORTS + "\nassert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", code, str(source)], check=True, capture_output=True)


def test_training_jobs_do_not_wait_for_torchvision():
    source = PACKAGE.parents[1] / "workflow" / "scripts" / "train_network.py"
    code = IMPORT_WHAT_IT_IMPORTS + "\nassert 'torchvision' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(source)], check=True, capture_output=True)


def test_names_imported_from_the_package_lead_to_their_modules(tmp_path):
    (tmp_path / "analysis.py").write_text("from diffeo_stability import deform, relative_stability\n")
    found = {path.name for path in modules_used_by(tmp_path / "analysis.py")}
    assert {"deformation.py", "stability.py"} <= found


def test_code_hash_follows_what_a_module_needs():
    assert code_hash("training") == code_hash("training") != code_hash("deformation")
    assert PACKAGE / "architectures" / "vgg.py" in modules_used_by(PACKAGE / "training.py")
