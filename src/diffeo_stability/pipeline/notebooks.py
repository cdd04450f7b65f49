"""Runs a jupytext notebook as a job: inputs in a first cell, errors by the notebook's own file and line."""

import re
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from traitlets.config import Config

from ..data.files import atomic_path
from .interactive import Job

KERNEL_START = 600  # seconds; on a busy machine it takes longer than the usual minute
INJECTED = """\
# Inputs of this run, put in by the pipeline
from diffeo_stability.pipeline.interactive import Job

snakemake = Job.from_json({text!r})
"""
# nbconvert's "basic" template leaves out the page around the cells, which would load scripts from elsewhere
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; max-width: 60rem; margin: 1rem auto; padding: 0 1rem; line-height: 1.5; }}
pre {{ background: #f6f8fa; padding: 0.6rem; overflow-x: auto; }}
img {{ max-width: 100%; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: 0.1rem 0.5rem; text-align: right; }}
.prompt {{ display: none; }}
{highlighting}
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

    Exits with status 1 and one line, ``file:line: error``, if a cell fails.
    """
    notebook = jupytext.read(source)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(INJECTED.format(text=job.to_json())))
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # random by default, and then no two runs would give the same page
    try:
        _run_cells(notebook)
    except CellExecutionError as error:
        place = error_place(Path(source), notebook)
        sys.exit(f"error: {place}: {error.ename}: {error.evalue} (all of it is in {executed})")
    except DeadKernelError:
        sys.exit(f"error: {source}: the kernel died, most often for want of memory")
    finally:
        with atomic_path(executed) as partial:
            nbformat.write(notebook, partial)
    with atomic_path(html) as partial:
        partial.write_text(as_html(notebook, Path(source).stem))


def _run_cells(notebook: nbformat.NotebookNode) -> None:
    """Execute all cells in a kernel that is reached by sockets in a folder of its own.

    Ports could be taken by another kernel that starts at the same time, and anyone on the machine could listen.
    """
    with tempfile.TemporaryDirectory() as folder:
        sockets = Config(KernelManager={"transport": "ipc", "ip": str(Path(folder) / "kernel")})
        settings = {"timeout": None, "startup_timeout": KERNEL_START, "record_timing": False, "config": sockets}
        NotebookClient(notebook, kernel_name="python3", **settings).execute()


def as_html(notebook: nbformat.NotebookNode, title: str) -> str:
    """Return a notebook as an HTML page that needs nothing from elsewhere."""
    body, resources = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    highlighting = "\n".join(resources.get("inlining", {}).get("css", []))
    return PAGE.format(title=title, body=body, highlighting=highlighting)


def error_place(source: Path, notebook: nbformat.NotebookNode) -> str:
    """Return ``file:line`` of the source for the error in an executed notebook."""
    text, position = source.read_text(), 0
    for cell in notebook.cells[1:]:
        position = max(position, text.find(cell.source, position))
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
                lines = re.findall(rf"Cell In\[{cell.execution_count}\], line (\d+)", traceback)
                first = text.count("\n", 0, position) + 1
                return f"{source}:{first + int(lines[-1]) - 1 if lines else first}"
    return str(source)
