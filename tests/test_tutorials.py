"""The tutorials run as they are, in a kernel, and show what they say."""

import re

import jupytext
import pytest
from nbclient import NotebookClient
from waiting import HANGS


@pytest.mark.slow
def test_any_network(root, tmp_path):
    notebook = jupytext.read(root / "workflow" / "tutorials" / "any_network.py")
    there = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, kernel_name="python3", startup_timeout=HANGS, resources=there).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    printed = "".join(output.get("text", "") for output in outputs)
    error = float(re.search(r"test error ([\d.]+)%", printed)[1])
    assert error < 15
    for state in ("at init", "trained"):
        value, low, high = map(float, re.search(rf"R {state}: ([\d.]+) \[([\d.]+), ([\d.]+)\]", printed).groups())
        assert 0 < low <= value <= high
