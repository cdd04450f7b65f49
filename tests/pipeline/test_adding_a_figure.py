"""A new figure is its room, its notebook, its caption and its block: nothing else is edited, and nothing else is made again."""

import os
import shutil

import pandas as pd
import pytest
from conftest import ROOT

FILES = {
    "src/diffeo_stability/figures/weight_norms/__init__.py": '''
"""Figure ``weight_norms``: norms of all weights."""

from pydantic import Field

from ...settings import Positive
from ..registry import OCTOBER, Figure
from ..settings import FigureSettings, Networks


class WeightNorms(FigureSettings):
    """Figure `weight_norms`: norms of all weights."""

    networks: Networks = Field(description="keys of `networks`")
    power: Positive = Field(2.0, description="of the norm")


FIGURE = Figure(__name__, WeightNorms, OCTOBER, 13, reads=("checkpoints",), takes=())
''',
    "src/diffeo_stability/figures/weight_norms/measurement.py": '''
"""Norms of all weights of a network."""

from ..measuring import describe, networks_by_state
from ..registry import Given, Measured


def measure_weight_norms(given: Given) -> Measured:
    """Measure a training's network at init and trained: one row each."""
    rows = []
    for state, network, metadata in networks_by_state(given.checkpoints, given.device):
        norms = [float(weights.norm(p=given.settings.power)) for weights in network.parameters()]
        rows.append({**describe(state, metadata), "norm": sum(norms)})
    return Measured(rows)
''',
    "workflow/notebooks/weight_norms.py": """
# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_weight_norms")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
table = read_table(snakemake.input.table)
figure, ax = plt.subplots()
ax.bar(table.state, table.norm)
plotting.save_figure(figure, snakemake)
""",
    "workflow/report/weight_norms.rst": "**Norms of all weights.** At init and trained.\n",
}
OWN_RULE = """
rule draw_weight_norms:
    output:
        "results/{run}/tables/weight_norms.csv",
        "figures/{run}/weight_norms.pdf",
        "figures/{run}/weight_norms.png",
    shell:
        "touch {output}"
"""


@pytest.fixture
def with_the_figure(finished_copy):
    """The finished project with a copy of the sources and the new figure in it."""
    shutil.copytree(ROOT / "src", finished_copy.folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        path = finished_copy.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.lstrip())
    config = finished_copy.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text() + "\nweight_norms:\n  networks: [lenet]\n")
    return finished_copy


def test_a_new_figure_is_its_room_notebook_caption_and_block(with_the_figure):
    before = with_the_figure.made()
    env = os.environ | {"PYTHONPATH": str(with_the_figure.folder / "src")}
    done = with_the_figure.snakemake(env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    made = with_the_figure.made()
    new = {name for name in made if made[name] != before.get(name) and ".provenance" not in name}
    assert new == {
        "results/smoke/networks/lenet/seed0/weight_norms.csv",
        "results/smoke/tables/weight_norms.csv",
        "results/smoke/captions/weight_norms.rst",
        "results/smoke/notebooks/weight_norms.html",
        "figures/smoke/weight_norms.pdf",
        "figures/smoke/weight_norms.png",
    }
    table = pd.read_csv(with_the_figure.folder / "results/smoke/tables/weight_norms.csv")
    assert table.state.tolist() == ["init", "trained"] and (table.norm > 0).all()


def test_a_figure_with_rules_of_its_own_is_left_out_of_the_loop(with_the_figure):
    rules = with_the_figure.folder / "workflow" / "rules" / "weight_norms.smk"
    rules.write_text(OWN_RULE)
    env = os.environ | {"PYTHONPATH": str(with_the_figure.folder / "src")}
    done = with_the_figure.snakemake("-n", "--quiet", "rules", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "draw_weight_norms" in done.stdout + done.stderr and "measure_weight_norms" not in done.stdout + done.stderr
