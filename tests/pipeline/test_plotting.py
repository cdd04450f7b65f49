"""One look for all figures, and files that say where they come from."""

import json
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import seaborn
from PIL import Image
from tueplots import axes as axes_style
from tueplots import fontsizes

from diffeo_stability.networks.catalogue import families, family_of
from diffeo_stability.networks.settings import ARCHITECTURES
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.carried import BLANK
from diffeo_stability.pipeline.interactive import Job
from diffeo_stability.pipeline.labels import as_text
from diffeo_stability.pipeline.looks import OWN_COLORS, looks_of

pytestmark = pytest.mark.usefixtures("style")


def looks(**architectures):
    """How networks of these architectures appear."""
    return looks_of({name: {"architecture": architecture} for name, architecture in architectures.items()})


def test_the_look_is_that_of_seaborn_whatever_the_users_own_is():
    with matplotlib.rc_context({"axes.grid": True, "axes.facecolor": "black", "lines.markersize": 20}):
        plotting.set_style()
        look = {**seaborn.axes_style("ticks"), **seaborn.plotting_context("paper")}
        differing = {key for key, value in look.items() if to_compare(matplotlib.rcParams[key]) != to_compare(value)}
    own = {"axes.spines.right", "axes.spines.top", "font.family", "font.sans-serif", "image.cmap"}
    assert differing <= {*fontsizes.icml2024(), *axes_style.lines()} | own


def to_compare(value):
    """A setting of matplotlib, in one of the ways of writing it."""
    if isinstance(value, float):
        return round(value, 9)
    return matplotlib.colors.to_hex(value) if matplotlib.colors.is_color_like(value) else value


def test_every_architecture_has_a_family_and_a_label():
    for name, look in looks(**{name: name for name in ARCHITECTURES}).items():
        assert family_of(name) is not None and look.label != name
    assert family_of("vgg16_bn").label == "VGG, batch-norm" != family_of("vgg16").label
    assert family_of("torchvision:resnet50").label == "ResNet" and family_of("timm:swin_tiny") is None


def test_families_have_a_colour_and_every_other_network_one_of_its_own():
    found = looks(a="timm:swin_tiny", mine="mine:net", b="torchvision:resnet50", c="resnet18", lenet="mine:net")
    assert found["b"].color == found["c"].color in plotting.COLORS
    assert [found[name].color for name in ("a", "mine", "lenet")] == list(OWN_COLORS[:3])
    assert found["mine"].label == "mine" and found["lenet"].label == "lenet"  # it is none


def test_the_configuration_says_what_networks_are_called_and_how_they_are_coloured():
    own = {"architecture": "mine:net"}
    found = looks_of(
        {"a": {**own, "color": "rose", "label": "$"}, "b": own, "lenet": {"architecture": "lenet", "label": "L"}}
    )
    assert found["a"] == ("$", "rose") and found["b"] == ("b", OWN_COLORS[0]) and found["lenet"].label == "L"
    drawn = plotting.Looks({name: look._asdict() for name, look in found.items()})
    assert drawn.color("a") == plotting.COLORS["rose"] and drawn.color("b") == OWN_COLORS[0]


def test_families_have_colours_that_differ_for_everyone():
    """Also as a deuteranope and a protanope see them (Vienot et al. 1999), and against the white of the page."""
    deficiencies = {
        "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
        "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    }
    names = [*(plotting.COLORS[family.color] for family in families().values()), *OWN_COLORS, "#ffffff"]
    colours = [matplotlib.colors.to_rgb(name) for name in names]
    for matrix in deficiencies.values():
        seen = [[sum(m * c**2.2 for m, c in zip(row, colour, strict=True)) for row in matrix] for colour in colours]
        seen = [[max(value, 0) ** (1 / 2.2) for value in colour] for colour in seen]
        for k, one in enumerate(seen):
            for other in seen[:k]:
                assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 > 0.08


def test_logarithmic_axes_have_plain_numbers():
    figure, ax = plt.subplots()
    ax.loglog([0.02, 30], [1, 3000])
    plotting.log_ticks(ax.xaxis, ax.yaxis)
    figure.canvas.draw()
    labels = [label.get_text() for label in ax.get_yticklabels() if label.get_text()]
    assert {"1", "10", "100", "1000"} <= set(labels)


def simple_figure():
    figure, ax = plt.subplots(figsize=(3.25, 2))
    ax.plot([1, 2, 3])
    return figure


def saved(folder, config, figure=None, images="CIFAR-10", inputs=(), by_hand=False):
    folder.mkdir(parents=True)
    figure = figure or simple_figure()
    job = Job(
        "draw_stem",
        SimpleNamespace(**dict(inputs)),
        SimpleNamespace(pdf=str(folder / "stem.pdf"), png=str(folder / "stem.png")),
        SimpleNamespace(images=images),
        SimpleNamespace(run="a_run"),
        config,
        by_hand=by_hand,
    )
    plotting.save_figure(figure, job)
    return folder


def test_figures_are_the_same_bytes_every_time_and_carry_their_provenance(tmp_path):
    first, second, other = (saved(tmp_path / name, {"k": k}) for name, k in (("a", 1), ("b", 1), ("c", 2)))
    for kind in ("pdf", "png"):
        assert (first / f"stem.{kind}").read_bytes() == (second / f"stem.{kind}").read_bytes()
        assert (first / f"stem.{kind}").read_bytes() != (other / f"stem.{kind}").read_bytes()
    with Image.open(first / "stem.png") as image:
        provenance = json.loads(image.info["Description"])
        assert image.size == (975, 600 + 36)
    assert provenance.keys() == {"stem", "run", "commit", "dirty", "config", "tables", "picture"}
    assert provenance["stem"] == "stem" and provenance["picture"] != BLANK


def test_what_was_set_before_has_no_say(tmp_path):
    """By a matplotlibrc or by what was drawn before in the same session."""
    files = []
    for name, settings in (("a", {}), ("b", {"savefig.transparent": True, "text.usetex": True, "lines.linewidth": 9})):
        matplotlib.rcParams.update(settings)
        plotting.set_style()
        folder = saved(tmp_path / name, {})
        files.append([(folder / f"stem.{kind}").read_bytes() for kind in ("pdf", "png")])
    assert files[0] == files[1]


def test_a_figure_that_is_drawn_by_hand_says_where_it_lies(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "figures" / "a_run" / "by-hand"
    table = tmp_path / "results" / "a_run" / "tables" / "stem.csv"
    table.parent.mkdir(parents=True)
    table.write_text("R\n1.0\n")
    saved(folder, {}, inputs={"table": str(table)}, by_hand=True)
    assert "figures/a_run/by-hand/stem.pdf and .png" in capsys.readouterr().out
    with Image.open(folder / "stem.png") as image:
        assert list(json.loads(image.info["Description"])["tables"]) == ["results/a_run/tables/stem.csv"]


def test_below_every_figure_stands_which_images_it_was_made_from(tmp_path):
    """At the lower right; all above it is the same whatever the images are called, mathematics or not."""
    pixels = []
    for name, images in (("a", "CIFAR-10"), ("b", "CIFAR-10 (JPEG copy)"), ("c", "$1 and 2_3")):
        with Image.open(saved(tmp_path / name, {}, images=images) / "stem.png") as image:
            pixels.append(np.asarray(image.convert("L")))
    for one in pixels:
        assert (one[:600] == pixels[0][:600]).all()
        assert (one[600:, -30:] < 200).any() and (one[600:, :400] == 255).all() and (one[-1] == 255).all()
    dark = [(one[600:] < 200).sum() for one in pixels]
    assert dark[0] < 0.6 * dark[1] and dark[2] > 0


def test_nothing_else_stands_there(tmp_path):
    """A legend at the lower edge stays where it is in the figure."""
    figure = simple_figure()
    figure.axes[0].plot([3, 2, 1], label="a line whose name is so long that its legend is as wide as the figure")
    figure.legend(loc="outside lower center")
    with Image.open(saved(tmp_path / "a", {}, figure, images=" ") / "stem.png") as image:
        pixels = np.asarray(image.convert("L"))
    assert (pixels[600:] == 255).all() and (pixels[550:600] < 200).any()


class Counted(plt.Line2D):
    """A line that counts how often it is drawn."""

    drawn = 0

    def draw(self, renderer):
        Counted.drawn += 1
        super().draw(renderer)


def test_a_figure_is_drawn_once_for_each_file_and_laid_out_without(tmp_path):
    figure = simple_figure()
    figure.axes[0].add_line(Counted([0, 2], [1, 3]))
    saved(tmp_path / "a", {}, figure)
    assert Counted.drawn == 2


def test_images_keep_their_shape(tmp_path):
    """Pixels are squares, however wide the place that a panel has."""
    figure, axes = plt.subplots(1, 2, figsize=(plotting.PAGE, 2), width_ratios=(3, 1))
    for ax in axes:
        ax.imshow([[0, 1], [1, 0]], cmap="gray", vmin=-1, vmax=2)
        ax.set_axis_off()
    with Image.open(saved(tmp_path / "a", {}, figure, images=" ") / "stem.png") as image:
        inked = np.asarray(image.convert("L")) < 255
    (columns,), (rows,) = (np.nonzero(inked[:, :1200].any(axis)) for axis in (0, 1))
    assert abs(np.ptp(columns) - np.ptp(rows)) <= 2 and np.ptp(rows) > 300


@pytest.mark.slow
def test_last_digits_of_the_layout_do_not_reach_the_files(tmp_path):
    """Nested panels, colour bar and legend, laid out with margins that differ by rounding errors."""
    plotting.set_style()
    files = []
    for k, error in enumerate((0, 1e-12, -3e-12)):
        figure = plt.figure(figsize=(plotting.PAGE, 3))
        figure.get_layout_engine().set(w_pad=0.04 + error, h_pad=0.04 - error)
        left, right = figure.subfigures(1, 2, width_ratios=(1.3, 1))
        for ax in left.subplots(2, 2).flat:
            image = ax.imshow([[0, 1], [2, 3]])
        left.colorbar(image, ax=left.axes[:2], label="colour")
        left.supxlabel("all of them")
        right.subplots().plot([1, 2, 3], marker="o", label="a line")
        right.axes[0].legend(loc="best")
        figure.legend(loc="outside lower center")
        folder = saved(tmp_path / str(k), {}, figure)
        files.append([(folder / f"stem.{kind}").read_bytes() for kind in ("pdf", "png")])
    assert files[0] == files[1] == files[2]


def test_items_are_spread_from_the_first_to_the_last():
    assert plotting.spread(list(range(9)), 3) == [0, 4, 8]
    assert plotting.spread("abc", 5) == ["a", "b", "c"] and plotting.spread(["only"], 3) == ["only"]


def test_networks_of_one_colour_have_markers_that_differ():
    markers = plotting.markers_by_color({"a": "red", "b": "blue", "c": "red"})
    assert markers["a"] == markers["b"] != markers["c"]
    many = plotting.markers_by_color({str(k): "red" for k in range(2 * len(plotting.MARKERS))})
    assert len(set(many.values())) == len(many)


def test_a_legend_is_no_wider_than_the_page():
    figure, ax = plt.subplots(figsize=(plotting.PAGE, 2))
    handles = [plt.Line2D([], [], label=as_text(f"{k}_{'W' * 40}")) for k in range(30)]
    legend = plotting.add_legend(figure, handles, loc="outside lower center", ncols=6)
    assert legend.get_window_extent().width <= plotting.PAGE * figure.dpi and len(figure.legends) == 1
    assert len(plotting.add_legend(ax, handles[:2]).texts) == 2


@pytest.mark.parametrize(
    "limits", [(0.98, 1.7), (0.03, 0.05), (0.5, 3), (0.01, 20), (1e-6, 10), (5e-6, 0.02), (10, 3e6)]
)
def test_logarithmic_axes_have_labels_enough_to_be_read(limits):
    figure, ax = plt.subplots()
    ax.set_yscale("log")
    ax.set_ylim(*limits)
    plotting.log_ticks(ax.yaxis)
    figure.canvas.draw()
    shown = [place for place in ax.yaxis.get_majorticklocs() if limits[0] <= place <= limits[1]]
    assert 2 <= len(shown) <= 8
    assert not any("e-" in label.get_text() or "e+" in label.get_text() for label in ax.get_yticklabels())
    plt.close(figure)


def test_minor_ticks_are_there_after_a_layout_that_did_without():
    """Axes that share a scale share what says where its ticks are, and each has it again."""
    plotting.set_style()
    figure, axes = plt.subplots(1, 3, sharey=True)
    for ax in axes:
        ax.loglog([1, 100], [1, 200])
        plotting.log_ticks(ax.xaxis, ax.yaxis)
    before = [[axis.get_minorticklocs().tolist() for axis in (ax.xaxis, ax.yaxis)] for ax in axes]
    plotting.settle_layout(figure)
    after = [[axis.get_minorticklocs().tolist() for axis in (ax.xaxis, ax.yaxis)] for ax in axes]
    assert before == after and all(len(ticks) > 10 for of_axes in after for ticks in of_axes)


@pytest.mark.parametrize(("top", "between"), [(900, True), (1100, False)])
def test_axes_of_more_than_three_decades_have_no_ticks_between_the_powers_of_ten(top, between):
    _, ax = plt.subplots()
    ax.set_yscale("log")
    ax.set_ylim(1, top)
    plotting.log_ticks(ax.yaxis)
    assert (len(ax.yaxis.get_minorticklocs()) > 0) == between
