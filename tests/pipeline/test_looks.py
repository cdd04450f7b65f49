"""A few figures of the committed gallery, pixel by pixel: what changes how they look has to say so.

After a change that is meant::

    .venv/bin/python -m pytest tests/pipeline/test_looks.py --mpl-generate-path=tests/pipeline/baseline
"""

from types import SimpleNamespace

import pytest

from diffeo_stability.figures.stability_vs_error.measurement import correlate_with_error
from diffeo_stability.figures.stability_vs_train_size.collection import fit_exponents
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.config import load_config
from diffeo_stability.pipeline.interactive import Job
from diffeo_stability.pipeline.plan import Plan
from diffeo_stability.pipeline.tables import read_table, write_table

pytestmark = pytest.mark.slow
GALLERY = "figures/reference/mnist5k"


def draw(root, stem, monkeypatch, tables=None):
    """Run an analysis on the tables of the gallery, or on those of another folder, and return its figure."""
    figures = []
    monkeypatch.setattr(plotting, "save_figure", lambda figure, _job: figures.append(figure))
    plan = Plan(load_config(root / "config" / "mnist5k.yaml"))
    tables = tables or root / GALLERY
    names = {"table": stem, "summary": f"{stem}_summary", "stability": "stability"}
    job = Job(
        f"draw_{stem}",
        SimpleNamespace(**{kind: str(tables / f"{name}.csv") for kind, name in names.items()}),
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


def tables_without_errors(gallery, folder):
    """Tables of the gallery, had no net erred on a test image."""
    names = ("stability", "stability_vs_train_size", "noise_training")
    tables = {name: read_table(gallery / f"{name}.csv").assign(test_error=0.0, test_error_low=0.0) for name in names}
    tables["stability_vs_error"] = correlate_with_error(tables["stability"])
    tables["stability_vs_train_size_summary"] = fit_exponents(tables["stability_vs_train_size"])
    for name, table in tables.items():
        write_table(table, folder / f"{name}.csv")
    return folder


@pytest.mark.parametrize("stem", ["stability_vs_error", "stability_vs_train_size", "noise_training"])
def test_a_run_in_which_no_net_errs_is_drawn_and_says_so(root, tmp_path, monkeypatch, stem):
    figure = draw(root, stem, monkeypatch, tables_without_errors(root / GALLERY, tmp_path))
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert texts.count("no test error above 0") == 1
    figure.draw_without_rendering()


def test_where_no_net_has_an_init_the_legend_has_none(root, tmp_path, monkeypatch):
    table = read_table(root / GALLERY / "stability.csv")
    write_table(table[table.state == "trained"], tmp_path / "stability.csv")
    figure = draw(root, "stability", monkeypatch, tmp_path)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["trained"]
