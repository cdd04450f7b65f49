"""Runs a jupytext notebook as a job: inputs in a first cell, errors by the notebook's own file and line."""

import logging
import os
import re
import signal
import tempfile
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
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from ..core.errors import InputError
from ..data.files import atomic_path
from .captions import formula_as_html
from .interactive import Job

KERNEL_START = 600  # seconds; on a busy machine it takes longer than the usual minute
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


def execute(source: str | Path, job: Job, *, executed: str | Path, html: str | Path) -> None:
    """Execute a notebook in the working directory, and keep the executed copy whether or not it succeeds.

    Args:
        source: jupytext file in the percent format.
        job: what the notebook finds as ``snakemake``.
        executed: gets the executed notebook (.ipynb).
        html: gets the executed notebook as a page of its own, if all cells succeeded.

    Raises:
        InputError: a cell fails, ``file:line: error``, or the kernel dies.
    """
    notebook = jupytext.read(source)
    notebook.cells[:0] = injected_cells(job)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # random by default, and then no two runs would give the same page
    try:
        _run_cells(notebook)
    except CellExecutionError as error:
        place = error_place(Path(source), notebook)
        raise InputError(f"{place}: {error.ename}: {error.evalue} (all of it is in {executed})") from None
    except DeadKernelError:
        raise InputError(f"{source}: the kernel died, most often for want of memory") from None
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


def _run_cells(notebook: nbformat.NotebookNode) -> None:
    """Execute all cells in a kernel of this interpreter, whatever kernels and settings of Jupyter and IPython the user has.

    It is reached by sockets in a folder of its own: ports could be taken by another kernel that starts at the same time, and
    anyone on the machine could listen.
    """
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)  # Jupyter's, which says in its words what is said here
    with _folder_for_sockets() as folder:
        manager = AsyncKernelManager(
            kernel_name=NATIVE_KERNEL_NAME,
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),  # without any, the native kernel is this interpreter
            transport="ipc",
            ip=f"{folder}/kernel",
            connection_file=f"{folder}/connection.json",
        )
        client = NotebookClient(notebook, km=manager, timeout=None, startup_timeout=KERNEL_START, record_timing=False)
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
        InputError: the paths of all folders for temporary files are too long.
    """
    room = LONGEST_SOCKET - len("/tmp01234567/kernel-5")
    folders = (tempfile.gettempdir(), "/tmp", "/var/tmp")
    short = [name for name in folders if len(os.fsencode(name)) <= room and os.access(name, os.W_OK | os.X_OK)]
    if not short:
        raise InputError(f"{folders[0]}: too long a path for sockets: set TMPDIR to one of at most {room} characters")
    with tempfile.TemporaryDirectory(dir=short[0]) as folder:
        yield folder


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
    text, position = source.read_text(), 0
    for cell in notebook.cells:
        if INJECTED in cell.metadata.get("tags", ()):
            continue
        position = max(position, text.find(cell.source, position))
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
                lines = re.findall(rf"Cell In\[{cell.execution_count}\], line (\d+)", traceback)
                first = text.count("\n", 0, position) + 1
                return f"{source}:{first + int(lines[-1]) - 1 if lines else first}"
    return str(source)
