"""One look for all figures, and files that say where they come from."""

import json
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from diffeo_stability.networks.catalogue import families
from diffeo_stability.networks.settings import ARCHITECTURES
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.interactive import Job

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def _style():
    plotting.set_style()
    yield
    plt.close("all")


def test_every_architecture_has_a_family_and_a_label():
    for name in ARCHITECTURES:
        assert plotting.family_label(name) != "other"
        assert plotting.label_of(name) != name
    assert plotting.family_label("vgg16_bn") == "VGG, batch-norm" != plotting.family_label("vgg16")
    assert plotting.family_label("torchvision:resnet50") == "ResNet"
    assert plotting.family_label("timm:swin_tiny") == "other"
    assert (
        plotting.color_of("torchvision:resnet50")
        == plotting.color_of("resnet18")
        != plotting.color_of("timm:swin_tiny")
    )
    assert plotting.label_of("my_net") == "my_net"


def test_families_have_colours_that_differ_for_everyone():
    """Also as a deuteranope and a protanope see them (Vienot et al. 1999), and against the white of the page."""
    deficiencies = {
        "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
        "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    }
    colours = [matplotlib.colors.to_rgb(plotting.COLORS[family.color]) for family in families().values()] + [(1, 1, 1)]
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
    figure, ax = plt.subplots(figsize=(plotting.COLUMN, 2))
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
    assert provenance.keys() == {"stem", "run", "commit", "dirty", "config", "tables"} and provenance["stem"] == "stem"


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
    assert set(many.values()) == set(plotting.MARKERS)
