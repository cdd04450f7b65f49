"""Runs a jupytext notebook as a job: inputs in a first cell, errors by the notebook's own file and line."""

import logging
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from pprint import pformat
from typing import Any

import jinja2
import jupytext
import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from ..core.errors import InputError, one_line
from ..data.files import atomic_path
from .interactive import Job
from .markup import formula_as_html

LEAST = 0.1  # seconds; to nbclient, 0 is no limit
KERNEL_START = 600  # seconds; on a busy machine it takes longer than the usual minute
ROOM = 2**20  # bytes that a folder for temporary files must have left
LONGEST_SOCKET = 103  # bytes of a socket's path, on the systems that allow the fewest
OF_THE_USER = ("MPLBACKEND", "MATPLOTLIBRC", "PYTHONSTARTUP")  # variables that change what a kernel draws or runs
INJECTED = "injected-parameters"  # the tag by which Jupyter's own tools know cells that were put in
# Two cells, as the configuration is long and what the figure is drawn from is not
CONFIGURATION = """\
config = {config}
"""
INPUTS = """\
from diffeo_stability.pipeline.interactive import Job

snakemake = Job.from_plain(
    {files}
    | {{"config": config}}
)
"""
STANDING_ALONE = ("align", "equation", "gather")  # environments that a displayed formula in MathML is in already
# nbconvert's "basic" template leaves out the page around the cells, which would load scripts from elsewhere
CELLS = """\
{%- extends "basic/index.html.j2" -%}
{% block input_group %}<details class="code">
<summary>{{ cell.metadata.get("title", "Code") | e }}</summary>
{{ super() }}
</details>{% endblock %}
{% block data_html scoped %}<div class="scroll" tabindex="0">{{ super() }}</div>{% endblock %}
"""
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{highlighting}
* {{ box-sizing: border-box; }}
body {{ font: 16px/1.55 system-ui, sans-serif; color: #1c2430; max-width: 62rem; margin: 0 auto; padding: 0 1rem 3rem; }}
h1 {{ font-size: 1.6rem; }}
summary {{ cursor: pointer; color: #5a6573; font-size: .85rem; }}
details.code {{ margin: .3rem 0; }}
pre {{ background: #f5f7f9; padding: .6rem; overflow-x: auto; font-size: .8rem; line-height: 1.4; }}
pre, .text_cell_render {{ overflow-wrap: break-word; }}
.scroll, .text_cell_render {{ overflow-x: auto; }}
img {{ max-width: 100%; height: auto; }}
table {{ border: 0; border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }}
td, th {{ padding: .15rem .5rem; text-align: right; white-space: nowrap; border: 0; border-bottom: 1px solid #d9dee5; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def execute(source: str | Path, job: Job, *, executed: str | Path, html: str | Path, limit: float) -> None:
    """Execute a notebook in the working directory, and keep the executed copy whether or not it succeeds.

    Args:
        source: jupytext file in the percent format.
        job: what the notebook finds as ``snakemake``.
        executed: gets the executed notebook (.ipynb).
        html: gets the executed notebook as a page of its own, if all cells succeeded.
        limit: seconds after which it is stopped, counted from its first cell on.

    Raises:
        InputError: a cell fails, ``file:line: error``, or is still running at the limit, the kernel dies, or it is no notebook.
    """
    try:
        notebook = jupytext.read(source)
    except ValueError as error:
        raise InputError(f"{source} cannot be read as a notebook: {one_line(error)}") from None
    clock = _Clock(limit)
    notebook.cells[:0] = injected_cells(job)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # random by default, and then no two runs would give the same page
    try:
        _run_cells(notebook, clock)
    except CellTimeoutError:
        line = _first_lines(Path(source), notebook).get(clock.running["id"], 1)  # else it is a cell that was put in
        raise InputError(
            f"{source}:{line}: still running after {limit:g} s, and stopped: mend it, or raise drawing_limit in the configuration"
        ) from None
    except CellExecutionError as error:
        place = error_place(Path(source), notebook)
        raise InputError(f"{place}: {error.ename}: {error.evalue} (all of it is in {executed})") from None
    except DeadKernelError:
        raise InputError(
            f"{source}: the kernel died: for want of memory, or because the notebook ends the process"
        ) from None
    finally:
        with atomic_path(executed) as partial:
            nbformat.write(notebook, partial)
    page = as_html(notebook, Path(source).stem)
    with atomic_path(html) as partial:
        partial.write_text(page)


def injected_cells(job: Job) -> list[nbformat.NotebookNode]:
    """Return the cells by which a notebook finds a job as ``snakemake``: the run's configuration, and the job's files."""

    def cell(title: str, source: str) -> nbformat.NotebookNode:
        return nbformat.v4.new_code_cell(source, metadata={"title": title, "tags": [INJECTED]})

    files = job.as_plain()
    config = files.pop("config")
    return [
        cell("Configuration of this run", CONFIGURATION.format(config=_pretty(config, 9))),
        cell("Inputs and outputs of this figure", INPUTS.format(files=_pretty(files, 4))),
    ]


def _pretty(value: Any, indent: int) -> str:
    """Plain values in Python's notation, on lines that begin below the first, which stands indented."""
    text = pformat(value, width=100, sort_dicts=False)
    return text.replace("\n", "\n" + " " * indent)


class _Clock:
    """Tells nbclient how many seconds a cell may take: what is left of a limit for all of them, from the first one on.

    Attributes:
        running: the cell that was asked for last.
    """

    def __init__(self, limit: float):
        self.running = nbformat.NotebookNode()
        self._limit = limit
        self._begun: float | None = None

    def __call__(self, cell: nbformat.NotebookNode) -> float:
        now = time.monotonic()
        self.running, self._begun = cell, now if self._begun is None else self._begun
        return max(LEAST, self._limit - (now - self._begun))


def _run_cells(notebook: nbformat.NotebookNode, clock: _Clock) -> None:
    """Execute all cells in a kernel of this interpreter, whatever kernels and settings of Jupyter and IPython the user has.

    It is reached by sockets in a folder of its own: ports could be taken by another kernel that starts at the same time, and
    anyone on the machine could listen.
    """
    for name in ("traitlets", "asyncio"):  # Jupyter's, which say in their words what is said here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with _folder_for_sockets() as folder:
        manager = AsyncKernelManager(
            kernel_name=NATIVE_KERNEL_NAME,
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # without any, the native kernel is this interpreter
            transport="ipc",
            ip=f"{folder}/kernel",
            connection_file=f"{folder}/connection.json",
        )
        client = NotebookClient(
            notebook,
            km=manager,
            timeout_func=clock,
            startup_timeout=KERNEL_START,
            shutdown_kernel="immediate",  # all that it draws is in files; a graceful end takes it half a second
            record_timing=False,
        )
        kept = {name: value for name, value in os.environ.items() if name not in OF_THE_USER}
        variables = kept | {"IPYTHONDIR": f"{folder}/ipython"}
        with ThreadPoolExecutor(1) as thread:  # in the main one, the client would take Ctrl-C for a kernel that died
            executing = thread.submit(client.execute, env=variables, cleanup_kc=True)
            try:
                executing.result()
            except KeyboardInterrupt:
                if manager.has_kernel:
                    os.kill(manager.provisioner.pid, signal.SIGKILL)
                raise


@contextmanager
def _folder_for_sockets() -> Iterator[str]:
    """A private folder, removed at the end, that leaves room for the names of a kernel's sockets.

    Raises:
        InputError: all folders for temporary files are full, must not be written to, or have paths that are too long.
    """
    room = LONGEST_SOCKET - len("/tmp01234567/kernel-5")
    short = [name for name in _temporary_folders() if len(os.fsencode(name)) <= room]
    if not short:
        raise InputError(
            f"paths of folders for temporary files are too long: set TMPDIR to one of at most {room} characters"
        )
    usable = [name for name in short if os.access(name, os.W_OK | os.X_OK) and shutil.disk_usage(name).free >= ROOM]
    if not usable:
        raise InputError(
            f"no folder for temporary files can be written ({', '.join(short)}): free some space, or set TMPDIR"
        )
    with tempfile.TemporaryDirectory(dir=usable[0]) as folder:
        yield folder


def _temporary_folders() -> list[str]:
    """Folders for temporary files that there are, the user's own first."""
    named = [os.environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")]
    folders = (tempfile.tempdir or "", *named, "/tmp", "/var/tmp")
    return [name for name in dict.fromkeys(folders) if name and Path(name).is_dir()]


class _MathML(IPythonRenderer):
    """Markdown whose formulas need no script to be shown."""

    def inline_math(self, body: str) -> str:
        return formula_as_html(body)

    def block_math(self, body: str) -> str:
        return formula_as_html(body, displayed=True)

    def latex_environment(self, name: str, body: str) -> str:
        alone = name.rstrip("*") in STANDING_ALONE
        return self.block_math(body if alone else rf"\begin{{{name}}}{body}\end{{{name}}}")


class _PageExporter(HTMLExporter):
    """The cells of a page: text and outputs, the code folded."""

    @jinja2.pass_context
    def markdown2html(self, context: jinja2.runtime.Context, source: str) -> str:
        return MarkdownWithMath(renderer=_MathML(escape=False, exclude_anchor_links=True)).render(source)


def as_html(notebook: nbformat.NotebookNode, title: str) -> str:
    """Return a notebook as an HTML page that needs nothing from elsewhere.

    Raises:
        InputError: a formula that cannot be shown.
    """
    exporter = _PageExporter(
        template_name="basic", raw_template=CELLS, exclude_input_prompt=True, exclude_output_prompt=True
    )
    described = deepcopy(notebook)
    for cell in described.cells:
        cell.metadata.setdefault("alt", title)  # what its images are called where they are not seen
    body, resources = exporter.from_notebook_node(described)
    highlighting = "\n".join(resources.get("inlining", {}).get("css", []))
    return PAGE.format(title=title, body=body, highlighting=highlighting)


def error_place(source: Path, notebook: nbformat.NotebookNode) -> str:
    """Return ``file:line`` of the source for the error in an executed notebook."""
    first_lines = _first_lines(source, notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error" and cell["id"] in first_lines:
                traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
                lines = re.findall(rf"Cell In\[{cell.execution_count}\], line (\d+)", traceback)
                first = first_lines[cell["id"]]
                return f"{source}:{first + int(lines[-1]) - 1 if lines else first}"
    return str(source)


def _first_lines(source: Path, notebook: nbformat.NotebookNode) -> dict[str, int]:
    """The line of the source in which each cell begins, by the cell's id; none of those that were put in."""
    text, position, lines = source.read_text(), 0, {}
    for cell in notebook.cells:
        if INJECTED not in cell.metadata.get("tags", ()):
            position = max(position, text.find(cell.source, position))
            lines[cell["id"]] = text.count("\n", 0, position) + 1
    return lines
