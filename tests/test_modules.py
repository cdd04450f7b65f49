"""The imports that rules depend on, found without running, against the ones that Python really makes."""

import json
import subprocess
import sys

import pytest

from diffeo_stability.modules import PACKAGE, code_hash, modules_used_by

SOURCES = sorted(
    [*PACKAGE.parents[1].glob("workflow/scripts/*.py"), *PACKAGE.parents[1].glob("workflow/notebooks/*.py")]
)

IMPORT_WHAT_IT_IMPORTS = """
import ast, sys
from pathlib import Path

def import_what_it_imports(source):
    for node in ast.parse(Path(source).read_text()).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(compile(ast.Module([node], []), source, "exec"))
"""

# Libraries take seconds to import: once for all sources, each of which then goes on in a process of its own
EACH_BY_ITSELF = """
import json, os
import matplotlib.pyplot, pandas, pydantic, safetensors.torch, scipy.optimize, scipy.stats, seaborn, torch, tueplots.fontsizes
assert not any(name.startswith("diffeo_stability") for name in sys.modules)
for source in sys.argv[1:]:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        import_what_it_imports(source)
        own = [module.__file__ for name, module in sys.modules.items() if name.startswith("diffeo_stability.")]
        print(json.dumps([source, own]), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, source
"""


@pytest.fixture(scope="module")
def really_imported():
    """Modules of the package that each source imports, by source."""
    code = IMPORT_WHAT_IT_IMPORTS + EACH_BY_ITSELF
    done = subprocess.run([sys.executable, "-c", code, *map(str, SOURCES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_found_imports_cover_the_real_ones(source, really_imported):
    real = set(really_imported[str(source)])
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
    for script in ("collect_tables.py", "collect_stability_vs_train_size.py"):
        source = PACKAGE.parents[1] / "workflow" / "scripts" / script
        code = IMPORT_WHAT_IT_IMPORTS + "import_what_it_imports(sys.argv[1])\nassert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", code, str(source)], check=True, capture_output=True)


def test_training_jobs_do_not_wait_for_torchvision():
    source = PACKAGE.parents[1] / "workflow" / "scripts" / "train_network.py"
    code = IMPORT_WHAT_IT_IMPORTS + "import_what_it_imports(sys.argv[1])\nassert 'torchvision' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(source)], check=True, capture_output=True)


def test_names_imported_from_the_package_lead_to_their_modules(tmp_path):
    (tmp_path / "analysis.py").write_text("from diffeo_stability import deform, relative_stability\n")
    found = {path.name for path in modules_used_by(tmp_path / "analysis.py")}
    assert {"deformation.py", "stability.py"} <= found


def test_code_hash_follows_what_a_module_needs():
    assert code_hash("training") == code_hash("training") != code_hash("deformation")
    assert PACKAGE / "architectures" / "vgg.py" in modules_used_by(PACKAGE / "training.py")
