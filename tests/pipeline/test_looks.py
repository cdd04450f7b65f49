"""A few figures of the committed gallery, pixel by pixel: what changes how they look has to say so.

After a change that is meant::

    .venv/bin/python -m pytest tests/pipeline/test_looks.py --mpl-generate-path=tests/pipeline/baseline
"""

from types import SimpleNamespace

import pytest

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.config import load_config
from diffeo_stability.pipeline.interactive import Job
from diffeo_stability.pipeline.plan import Plan

pytestmark = pytest.mark.slow


def draw(root, stem, monkeypatch):
    """Run an analysis on the tables of the gallery and return its figure."""
    figures = []
    monkeypatch.setattr(plotting, "save_figure", lambda figure, _job: figures.append(figure))
    plan = Plan(load_config(root / "config" / "mnist5k.yaml"))
    gallery = root / "figures" / "reference" / "mnist5k"
    job = Job(
        f"draw_{stem}",
        SimpleNamespace(table=str(gallery / f"{stem}.csv"), summary=str(gallery / f"{stem}_summary.csv")),
        SimpleNamespace(),
        SimpleNamespace(looks=plan.looks_in(stem)),
        SimpleNamespace(run="mnist5k"),
        plan.config.model_dump(),
    )
    source = root / "workflow" / "notebooks" / f"{stem}.py"
    exec(compile(source.read_text(), source, "exec"), {"snakemake": job})
    (figure,) = figures
    plotting.settle_layout(figure)
    return figure


def pinned(stem):
    return pytest.mark.mpl_image_compare(
        baseline_dir="baseline", filename=f"{stem}.png", style="default", tolerance=3, savefig_kwargs={"dpi": 100}
    )


@pinned("stability")
def test_stability(root, monkeypatch):
    return draw(root, "stability", monkeypatch)


@pinned("noise_curves")
def test_noise_curves(root, monkeypatch):
    return draw(root, "noise_curves", monkeypatch)


@pinned("neuron_stability")
def test_neuron_stability(root, monkeypatch):
    return draw(root, "neuron_stability", monkeypatch)
