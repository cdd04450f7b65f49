"""Figures of networks with any names and of any number of them: all that is drawn lies on the page."""

from pathlib import Path
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.config import load_config
from diffeo_stability.pipeline.interactive import Job
from diffeo_stability.pipeline.looks import looks_of
from diffeo_stability.pipeline.plan import Plan
from diffeo_stability.pipeline.tables import read_table, write_table

matplotlib.use("agg")

LIKE_SOMETHING_ELSE = (
    "NA",
    "007",
    "1e5",
    "18",
    "null",
    "nan",
    "True",
    "$x",
    r"$\frac$",
    "a_b_",
    "100%",
    "{x}",
    "^_^",
    "`x`",
)
LONG = tuple(f"{number}_a_long_name_of_a_network_of_forty_c{end}" for number, end in enumerate("$_W$"))
ALIKE = tuple("a" * 20 + letter + "b" * 19 for letter in "xy")
THIRTY = (*LIKE_SOMETHING_ELSE, "W" * 40, *LONG, *ALIKE, *(f"the_{number}th_of_my_own_networks" for number in range(9)))
CLASSES = ("1e5", "a $ of a class with_a long * name")
SLACK = 0.02  # inches


@pytest.fixture(scope="module")
def plan(root):
    return Plan(load_config(root / "config" / "smoke.yaml"))


def renamed(table, names):
    """A table whose networks were called otherwise, each as often as it takes."""
    if "net" not in table:
        return table
    if "prediction" in table:  # of one network
        return table.assign(net=names[0], label=CLASSES[0], prediction=CLASSES[1])
    nets = list(dict.fromkeys(table.net))
    copies = [table[table.net == nets[number % len(nets)]].assign(net=name) for number, name in enumerate(names)]
    return pd.concat(copies, ignore_index=True)


def inputs_of(plan, project, stem, names, folder):
    """What a notebook reads of a finished run, its networks renamed."""
    inputs = {}
    for kind, places in plan.drawn_from(stem).items():
        if isinstance(places, list):
            trainings = list(zip(plan.trainings_of(stem), places, strict=True))
            nets = list(dict.fromkeys(training.network for training, _ in trainings))
            chosen = [nets[number % len(nets)] for number in range(len(names))]
            of_each = [[place for training, place in trainings if training.network == net] for net in chosen]
            inputs[kind] = [str(project / place) for some in of_each for place in some]
            continue
        inputs[kind] = str(project / places.format(run="smoke"))
        if inputs[kind].endswith(".csv"):
            table = renamed(read_table(inputs[kind]), names)
            inputs[kind] = str(folder / Path(inputs[kind]).name)
            write_table(table, inputs[kind])
    return inputs


@pytest.fixture
def draw(root, plan, finished_project, tmp_path, monkeypatch):
    """Draws a figure of networks that are called as one likes."""
    figures = []
    monkeypatch.setattr(plotting, "save_figure", lambda figure, _job: figures.append(figure))

    def drawn(stem, names):
        looks = looks_of({name: {"architecture": "my_networks:mine"} for name in names})
        job = Job(
            f"draw_{stem}",
            SimpleNamespace(**inputs_of(plan, finished_project.folder, stem, names, tmp_path)),
            SimpleNamespace(),
            SimpleNamespace(looks={name: look._asdict() for name, look in looks.items()}),
            SimpleNamespace(run="smoke"),
            plan.config.model_dump(),
        )
        source = root / "workflow" / "notebooks" / f"{stem}.py"
        exec(compile(source.read_text(), source, "exec"), {"snakemake": job})
        plotting.settle_layout(figures[-1])
        return figures[-1]

    yield drawn
    plt.close("all")


def lies_on_its_page(figure):
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    return min(drawn.x0, drawn.y0) > -SLACK and drawn.x1 < width + SLACK and drawn.y1 < height + SLACK


@pytest.mark.parametrize("stem", ["stability", "stability_vs_error", "stability_vs_train_size", "noise_bump_images"])
def test_thirty_networks_of_any_names_fit_the_page(draw, stem):
    figure = draw(stem, THIRTY)
    assert lies_on_its_page(figure)
    if stem == "stability":
        shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert shown[:4] == list(THIRTY[:4]) and len(set(shown)) == len(THIRTY)
    if stem == "stability_vs_error":
        looks = [(line.get_color(), line.get_marker()) for line in figure.legends[0].get_lines()]
        assert len(set(looks)) == len(looks) >= len(THIRTY)


@pytest.mark.parametrize(
    "stem",
    [
        "noise_curves",
        "first_layer_filters",
        "laplacian_spectra",
        "operation_stability",
        "rotation_coupling",
        "channel_shuffling",
        "hidden_layer_pooling",
    ],
)
def test_four_names_of_forty_characters_fit_the_page(draw, stem):
    assert lies_on_its_page(draw(stem, LONG))
