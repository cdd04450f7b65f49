"""The analyses run in the pipeline, as plain scripts and in Jupyter; errors name the notebook's own line."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from base64 import b64decode
from pathlib import Path
from types import SimpleNamespace

import jupytext
import nbformat
import pytest
import yaml
from nbclient import NotebookClient
from waiting import HANGS, wait_until

from diffeo_stability import InputError
from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline import notebooks
from diffeo_stability.pipeline.interactive import Job, mock_snakemake, project_root
from diffeo_stability.pipeline.notebooks import as_html, execute, injected_cells


@pytest.fixture
def run_by_hand(finished_copy, monkeypatch):
    """The folder of a finished project, to work in."""
    monkeypatch.chdir(finished_copy.folder)
    return finished_copy.folder


def use_smoke(notebook: Path) -> str:
    """The notebook's text, its configuration changed to the one that the finished project ran."""
    text = notebook.read_text()
    assert text.count(f'mock_snakemake("draw_{notebook.stem}")') == 1
    return text.replace(f'"draw_{notebook.stem}"', f'"draw_{notebook.stem}", config="config/smoke.yaml"')


# Each in a process of its own, which has what takes long to import from the one that it was forked from
RUN_EACH = """
import os, runpy, sys
import diffeo_stability.pipeline.plotting, snakemake.api
from diffeo_stability.pipeline.interactive import mock_snakemake

mock_snakemake("draw_stability", config="config/smoke.yaml")  # remembers the fingerprints of the sources

for script in sys.argv[1:]:
    if (child := os.fork()) == 0:
        runpy.run_path(script, run_name="__main__")
        sys.stdout.flush()
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(f"{script} failed")
"""


# Drawn from a table, from a table and its summary, from pictures, from what another figure measured, and from no images
BY_HAND = ("stability_by_depth", "noise_curves", "noise_bump_images", "stability_vs_error", "field_decomposition")


def test_every_notebook_asks_for_its_own_job(root):
    for stem in FIGURES:
        use_smoke(root / "workflow" / "notebooks" / f"{stem}.py")


def test_as_plain_scripts_notebooks_draw_the_same_figures_beside_the_pipelines(run_by_hand, finished_copy):
    folder = run_by_hand / "workflow" / "notebooks"
    scripts = [folder / f"{stem}.by_hand.py" for stem in BY_HAND]
    before = finished_copy.made()
    for stem, script in zip(BY_HAND, scripts, strict=True):
        script.write_text(use_smoke(folder / f"{stem}.py"))
    command = [sys.executable, "-c", RUN_EACH, *(script.name for script in scripts)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    after = finished_copy.made()
    assert {name: after[name] for name in before} == before
    for stem in BY_HAND:
        for kind in ("png", "pdf"):
            assert after[f"figures/smoke/by-hand/{stem}.{kind}"] == before[f"figures/smoke/{stem}.{kind}"], stem
        assert f"Drawn by hand: ../../figures/smoke/by-hand/{stem}.pdf and .png" in done.stdout


def test_in_jupyter_notebooks_of_one_session_draw_the_same_figures(run_by_hand):
    """As Jupyter runs them: cell by cell in a kernel that works in the notebooks' folder, one after the other."""
    figures, stems = run_by_hand / "figures" / "smoke", ("stability", "stability_vs_error")
    folder = run_by_hand / "workflow" / "notebooks"
    notebooks = [jupytext.reads(use_smoke(folder / f"{stem}.py"), fmt="py:percent") for stem in stems]
    session = nbformat.v4.new_notebook(cells=[cell for notebook in notebooks for cell in notebook.cells])
    there = {"metadata": {"path": str(folder)}}
    NotebookClient(session, kernel_name="python3", startup_timeout=HANGS, resources=there).execute()
    for stem in stems:
        assert (figures / "by-hand" / f"{stem}.png").read_bytes() == (figures / f"{stem}.png").read_bytes()
    shown = [cell.outputs for cell in session.cells if "image/png" in str(cell.get("outputs"))]
    assert [b64decode(outputs[-1]["data"]["image/png"]) for outputs in shown] == [
        (figures / f"{stem}.png").read_bytes() for stem in stems
    ]


def test_executed_pages_stand_alone_and_show_the_figure(finished_project):
    for stem in FIGURES:
        page = (finished_project.folder / "results" / "smoke" / "notebooks" / f"{stem}.html").read_text()
        assert "data:image/png;base64" in page
        assert not any(f'{attribute}="http' in page for attribute in ("src", "href"))


def job(tmp_path) -> Job:
    return Job("draw", SimpleNamespace(table="table.csv"), SimpleNamespace(), SimpleNamespace(), SimpleNamespace(), {})


NOTEBOOK = """# %% [markdown]
# # Title

# %%
first = 1

# %%
second = first + 1

raise {error}
"""


@pytest.mark.slow
def test_an_error_names_the_notebooks_own_file_and_line(tmp_path, capsys):
    source = tmp_path / "stem.py"
    source.write_text(NOTEBOOK.format(error='KeyError("R")'))
    with pytest.raises(InputError) as caught:
        execute(source, job(tmp_path), executed=tmp_path / "stem.ipynb", html=tmp_path / "stem.html", limit=HANGS)
    line = source.read_text().splitlines().index('raise KeyError("R")') + 1
    assert str(caught.value).startswith(f"{source}:{line}: KeyError: 'R'")
    assert (tmp_path / "stem.ipynb").exists() and not (tmp_path / "stem.html").exists()


def stopped(tmp_path, text, limit=HANGS):
    """What is said of a notebook that does not come to its end, and the notebook."""
    source = tmp_path / "stem.py"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        execute(source, job(tmp_path), executed=tmp_path / "stem.ipynb", html=tmp_path / "stem.html", limit=limit)
    assert not (tmp_path / "stem.html").exists() and "\n" not in str(caught.value)
    return str(caught.value), source


@pytest.mark.fault("one line")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("while True: pass", "{source}:8: still running after 2 s, and stopped: mend it, or raise drawing_limit"),
        (
            "import os; os._exit(0)",
            "{source}: the kernel died: for want of memory, or because the notebook ends the process",
        ),
        ("third = = 3", "{source}:10: SyntaxError: invalid syntax"),
    ],
)
def test_what_keeps_a_notebook_from_its_end_is_named(tmp_path, line, said):
    text = NOTEBOOK.replace("raise {error}", line)
    found, source = stopped(tmp_path, text, limit=2 if "while" in line else HANGS)
    assert found.startswith(said.format(source=source))


@pytest.mark.fault("one line")
def test_what_is_no_notebook_is_named(tmp_path):
    found, source = stopped(tmp_path, b"# %%\nname = '\xff'\n")
    assert found.startswith(f"{source} cannot be read as a notebook")


@pytest.mark.slow
def test_an_executed_copy_is_the_same_every_time(tmp_path):
    source = tmp_path / "stem.py"
    source.write_text(NOTEBOOK.replace("raise {error}", "second"))
    for name in ("a", "b"):
        execute(source, job(tmp_path), executed=tmp_path / f"{name}.ipynb", html=tmp_path / f"{name}.html", limit=HANGS)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    outputs = json.loads((tmp_path / "a.ipynb").read_text())["cells"][-1]["outputs"]
    assert outputs[0]["data"]["text/plain"] == ["2"]


def test_injected_cells_give_the_job_and_can_be_read(root):
    """In an executed notebook, people see them: short lines, and few of them but for the configuration."""
    config = yaml.safe_load((root / "config" / "mnist5k.yaml").read_text())
    files = {"table": "results/mnist5k/tables/stability.csv", "pictures": ["a'b.safetensors", 'c"d\\e.safetensors']}
    given = Job(
        "draw_stability",
        SimpleNamespace(**files),
        SimpleNamespace(pdf="figures/mnist5k/stability.pdf"),
        SimpleNamespace(images="MNIST, 5,000 digits", code="0123456789abcdef" * 4, empty=None, yes=True, tiny=1e-300),
        SimpleNamespace(run="mnist5k"),
        config,
    )
    cells = injected_cells(given)
    scope = {}
    for cell in cells:
        exec(cell.source, scope)
    assert scope["snakemake"] == given
    lines = [cell.source.splitlines() for cell in cells]
    assert max(len(line) for part in lines for line in part) <= 120 and len(lines[-1]) <= 25


MARKDOWN = r"""# Title

$R_f = D_f / G_f$ and $a < b$, costs \$5:

$$R = \frac{D}{G}$$

\begin{align}a &= b \\ c &= d\end{align}
"""


def test_formulas_need_no_script_code_is_folded_and_wide_tables_scroll():
    table = nbformat.v4.new_output("execute_result", {"text/html": "<table><tr><td>1</td></tr></table>"})
    image = nbformat.v4.new_output("display_data", {"image/png": "aGVsbG8="})
    cells = [
        *injected_cells(Job("draw", *[SimpleNamespace()] * 4, {})),
        nbformat.v4.new_markdown_cell(MARKDOWN),
        nbformat.v4.new_code_cell("1 < 2", outputs=[table, image]),
    ]
    page = as_html(nbformat.v4.new_notebook(cells=cells), "the figure")
    assert 'alt="the figure"' in page
    body = page.partition("<body>")[2]
    assert body.count("<math") == 4 and body.count('display="block"') == 2 and "costs $5" in body
    assert "$" not in body.replace("costs $5", "") and "<script" not in page
    assert body.count("<details") == 3 and "<details open" not in body
    assert "<summary>Configuration of this run</summary>" in body and "<summary>Code</summary>" in body
    assert body.index('class="scroll"') < body.index("<table>")


def test_a_formula_that_cannot_be_shown_is_named_in_one_line():
    cell = nbformat.v4.new_markdown_cell("$$\\nosuchcommand{x}\n+ 1$$")
    with pytest.raises(InputError, match=r"formula .nosuchcommand\{x\} \+ 1 cannot be shown") as caught:
        as_html(nbformat.v4.new_notebook(cells=[cell]), "title")
    assert "\n" not in str(caught.value)


def test_every_formula_of_the_analyses_and_the_tutorial_can_be_shown(root):
    notebooks = [*(root / "workflow").glob("notebooks/*.py"), *(root / "workflow").glob("tutorials/*.py")]
    assert len(notebooks) > len(FIGURES)
    cells = [cell for path in notebooks for cell in jupytext.read(path).cells if cell.cell_type == "markdown"]
    assert "$" not in as_html(nbformat.v4.new_notebook(cells=cells), "all of them").partition("<body>")[2]


def test_a_missing_input_is_named_with_the_command_that_makes_it(project, monkeypatch):
    monkeypatch.chdir(project.folder / "workflow" / "notebooks")
    assert project_root() == project.folder
    with pytest.raises(InputError, match=r"with 'snakemake results/.*\.csv --configfile config/s"):
        mock_snakemake("draw_stability", config="config/smoke.yaml")
    assert Path.cwd() == project.folder / "workflow" / "notebooks"


def test_outside_the_project_the_remedy_is_named(tmp_path):
    with pytest.raises(InputError, match="run this from inside the project"):
        project_root(tmp_path)


DRAWN = """# %%
import sys

import matplotlib.pyplot as plt

from diffeo_stability.pipeline import plotting

print(sys.executable)
plotting.set_style()
figure, ax = plt.subplots()
figure
"""


@pytest.mark.slow
def test_no_setting_of_the_user_changes_what_is_drawn_and_by_which_interpreter(tmp_path, monkeypatch):
    """A long folder for temporary files, other kernels called python3, start-up files, backends and a matplotlibrc."""
    source = tmp_path / "stem.py"
    source.write_text(DRAWN)
    execute(source, job(tmp_path), executed=tmp_path / "a.ipynb", html=tmp_path / "a.html", limit=HANGS)
    page = (tmp_path / "a.html").read_text()
    assert sys.executable in page and "data:image/png" in page

    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    other = {"argv": ["false"], "display_name": "python3", "language": "python"}
    files = {
        "jupyter/kernels/python3/kernel.json": json.dumps(other),
        "ipython/profile_default/startup/00.py": "raise SystemExit(1)",
        "startup.py": "raise SystemExit(1)",
        "matplotlibrc": "savefig.transparent: True\ntext.usetex: True\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    settings = {
        "TMPDIR": long,
        "JUPYTER_PATH": tmp_path / "jupyter",
        "JUPYTER_PREFER_ENV_PATH": 0,
        "IPYTHONDIR": tmp_path / "ipython",
        "PYTHONSTARTUP": tmp_path / "startup.py",
        "MATPLOTLIBRC": tmp_path / "matplotlibrc",
        "MPLBACKEND": "agg",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    execute(source, job(tmp_path), executed=tmp_path / "a.ipynb", html=tmp_path / "a.html", limit=HANGS)
    assert (tmp_path / "a.html").read_text() == page


@pytest.mark.slow
def test_an_interrupted_notebook_leaves_no_kernel_behind(tmp_path):
    source, begun = tmp_path / "stem.py", tmp_path / "begun"
    source.write_text(
        f"# %%\nimport os, time\n\nopen({str(begun)!r}, 'w').write(str(os.getpid()))\ntime.sleep({HANGS})\n"
    )

    def interrupt():
        wait_until(lambda: begun.exists() and begun.read_text(), "the notebook to run")
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        execute(source, job(tmp_path), executed=tmp_path / "a.ipynb", html=tmp_path / "a.html", limit=HANGS)
    signal.signal(signal.SIGINT, before)
    assert not Path("/proc", begun.read_text()).exists() and not (tmp_path / "a.html").exists()


@pytest.mark.fault("one line")
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LONGEST_SOCKET", 10, "set TMPDIR to one of at most"),
        ("ROOM", 2**80, "no folder .* free some space, or set TMPDIR"),
    ],
)
def test_where_no_folder_for_temporary_files_can_be_used_the_remedy_is_named(monkeypatch, name, value, said):
    monkeypatch.setattr(notebooks, name, value)
    with pytest.raises(InputError, match=said), notebooks._folder_for_sockets():
        pass
