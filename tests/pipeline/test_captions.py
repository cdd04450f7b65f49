"""Captions: filled in with what a run was asked for and what its tables show, for any run."""

import re
import runpy
from html import unescape
from types import SimpleNamespace

import docutils.core
import jinja2
import pandas as pd
import pytest
import yaml

from diffeo_stability import InputError
from diffeo_stability.core.deformation import rms_displacement as of_the_ensemble
from diffeo_stability.core.deformation import temperature_from_displacement
from diffeo_stability.figures import FIGURES
from diffeo_stability.figures.words import count_of, each, network, number, verbatim, with_labels
from diffeo_stability.pipeline.captions import NOTHING, as_html, fill_caption, rms_displacement, write_captions
from diffeo_stability.pipeline.claims import Tables
from diffeo_stability.pipeline.config import parse_config

CONFIG = {"probe": {"images": 7}}
TITLES = (
    "MNIST",
    "`a <javascript:alert(1)>`_ \\",
    "* | _ ** `` {{ x }} {% if %}",
    "<img src=x>",
    "{run} {x}",
    "<results>",
    "&lt;",
)


def test_captions_are_filled_in_and_formulas_are_mathml(tmp_path):
    path = tmp_path / "a.rst"
    path.write_text("**A title.** With :math:`R_f` and {{ config.probe.images }} images. {{ findings }}")
    title, html = as_html(fill_caption(path, CONFIG, "It falls by 23%."), path)
    assert title == "A title" and "<math" in html and "7 images. It falls by 23%." in html
    assert NOTHING in fill_caption(path, CONFIG)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{{ config.prob.images }}", "prob"), ("{{ config[", "caption"), (":unknown:`role`", "role")],
)
def test_wrong_captions_are_named_in_one_line(tmp_path, text, message):
    path = tmp_path / "a.rst"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        as_html(fill_caption(path, CONFIG), path)
    assert "a.rst" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "007",
        "null",
        "a_",
        "*star*",
        "|bar|",
        "`tick`",
        "``t``",
        "{{ x }}",
        "{% if",
        "{# x",
        r"\back",
        "$1$",
        "_a__",
        "<b>",
        "[1]_",
        "a::",
        "a@b.ch & co. &lt;",
        "`a <javascript:alert(1)>`_",
        "https://a.b",
    ],
)
def test_names_read_as_they_are(tmp_path, name):
    """As labels, as names of layers and as what a template puts in; also where Snakemake fills in the caption once more."""
    path = tmp_path / "a.rst"
    path.write_text("**A title.** In {{ config.run }}. {{ findings }}")
    text = with_labels(f"It falls in {network('a')} ({network('b')}), after {verbatim(name)}.", {"a": name})
    caption = fill_caption(path, {"run": name}, text)
    assert jinja2.Template(caption).render() == caption
    _, html = as_html(caption, path)
    assert unescape(re.sub("<[^>]*>", "", html)).strip() == f"A title. In {name}. It falls in {name} (b), after {name}."


def test_what_breaks_lines_is_shown_as_in_python(tmp_path):
    text = verbatim("a\x1c\x1c.. raw:: html\n\n <b>\u2028")
    assert text.isprintable()
    _, html = as_html(f"After {text}.", "a.rst")
    assert "<p>After a\\x1c\\x1c.. raw:: html\\n\\n &lt;b&gt;\\u2028.</p>" in html


@pytest.mark.parametrize(
    "text",
    [
        ".. raw:: html\n\n   <script></script>",
        ".. include:: /etc/passwd",
        ".. raw:: html\n   :file: /etc/passwd",
        ".. csv-table::\n   :file: /etc/passwd",
        ".. csv-table::\n   :url: file:///etc/passwd",
        ".. role:: own(raw)\n   :format: html\n\n:own:`<script></script>`",
    ],
)
def test_captions_hold_no_html_and_no_other_files(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docutils.conf").write_text("[general]\nraw_enabled: yes\nfile_insertion_enabled: yes\n")
    with pytest.raises(InputError, match="a.rst") as caught:
        as_html(text, "a.rst")
    assert "\n" not in str(caught.value) and "root:" not in str(caught.value)


@pytest.mark.parametrize("title", TITLES)
def test_a_title_reads_as_it_is_in_the_introduction_whoever_renders_it(root, title):
    """Snakemake's own report fills in the introduction itself, and lets reStructuredText hold HTML and other files."""
    template = root / "workflow" / "report" / "workflow.rst"
    config = {"run": "mine", "dataset": {"title": title}}
    ours = fill_caption(template, config)
    theirs = jinja2.Template(template.read_text()).render(snakemake=SimpleNamespace(config=config))
    for text in (ours, theirs):
        html = docutils.core.publish_parts(text, writer="html5", settings_overrides={"halt_level": 2})["fragment"]
        assert f"<strong>{title}</strong>" in unescape(html) and "<a" not in html


def test_in_the_gallerys_table_a_name_ends_no_cell(root):
    as_markdown = runpy.run_path(str(root / "workflow" / "gallery.py"))["_as_markdown"]
    text = with_labels(f":math:`|x|` in {network('a')}", {"a": "b|c_$"})
    assert as_markdown(text) == r"$\|x\|$ in b\|c\_\$"


def test_the_root_mean_square_displacement_is_that_of_the_ensemble():
    for cutoff, size in ((2, 28), (3, 32), (15, 224)):
        exact = of_the_ensemble(temperature_from_displacement(1.5, cutoff, size), cutoff, size)
        assert rms_displacement({"displacement": 1.5, "cutoff": cutoff}) == number(exact)
    assert rms_displacement({"displacement": 1.0, "cutoff": 3}) == "0.84"


TRAIN_NETWORKS = {"stability_vs_train_size", "noise_training", "hidden_layer_pooling", "scale_detection"}


def test_images_that_may_have_been_trained_on_are_never_called_test_images(root):
    """In the captions of the figures that such a run can have."""
    config = parse_config(yaml.safe_load((root / "config" / "imagenet.yaml").read_text())).model_dump()
    full = parse_config(yaml.safe_load((root / "config" / "mnist5k.yaml").read_text())).model_dump()
    both = {**full, **{key: value for key, value in config.items() if value is not None}}
    for stem in FIGURES:
        if stem in TRAIN_NETWORKS:
            continue
        text = fill_caption(root / "workflow" / "report" / f"{stem}.rst", both)
        assert "test image" not in text.lower() and "test error" not in text.lower(), stem
    text = fill_caption(root / "workflow" / "report" / "stability_vs_error.rst", both)
    assert text.startswith("**Error on these images against stability.**")
    assert "on 500 test images" in fill_caption(root / "workflow" / "report" / "stability.rst", full)


def test_of_one_net_it_is_said_whether_and_of_many_alike_what_they_share():
    assert [count_of(count, 1) for count in (0, 1)] == ["no net", "the one net"] and count_of(0, 3) == "0 of 3 nets"
    many = {f"net{number}": value for number, value in enumerate([0.301, 0.3, 0.302, 0.3, 0.3, 0.3])}
    assert each(many) == "0.30 in 6 nets"
    assert each({**many, "a": 0.1}) == f"0.10 ({network('a')}) to 0.30 ({network('net2')}) in 7 nets"


def test_what_figures_show_of_one_net_counts_no_nets(root):
    """Nets of the default run by themselves, as they are and with init in place of trained."""
    tables = {path.stem: pd.read_csv(path) for path in (root / "figures" / "reference" / "mnist5k").glob("*.csv")}
    of_nets = {name: table for name, table in tables.items() if "net" in table}
    other = {"init": "trained", "trained": "init"}
    for net in ("lenet", "vgg11_bn", "one_hidden_layer_gap"):
        own = {name: table[table.net == net] for name, table in of_nets.items() if net in set(table.net)}
        swapped = {
            name: table.assign(state=table.state.map(other)) if set(table.get("state", [])) == set(other) else table
            for name, table in own.items()
        }
        for stem, found in ((stem, found) for found in (own, swapped) for stem in FIGURES if stem in own):
            text = FIGURES[stem].describe({**tables, **found}) if stem != "stability_vs_error" else ""
            assert not re.search(r"not the one|\b[01] of 1\b", text), (net, stem, text)


def test_no_template_holds_a_number_of_a_run(root):
    for path in (root / "workflow" / "report").glob("*.rst"):
        assert "mnist" not in path.read_text().lower(), path


def of_two_networks(folder, target):
    """Tables as of a user's run: two networks of one's own names, two seeds each."""
    names = {"vgg11_bn": "mine", "lenet": "other"}
    target.mkdir()
    for path in folder.glob("*.csv"):
        table = pd.read_csv(path)
        if "net" in table:
            table = table[table.net.isin(names)].assign(net=table.net.map(names))
            table = pd.concat([table, table.assign(seed=1)]) if "seed" in table else table
        table.to_csv(target / path.name, index=False)
    return target


@pytest.fixture(params=["default", pytest.param("smoke", marks=pytest.mark.slow), "two networks"])
def run(request, root, tmp_path):
    """Tables and configuration of three runs: the default one, a tiny one, and a user's own."""
    gallery = root / "figures" / "reference" / "mnist5k"
    if request.param == "smoke":
        project = request.getfixturevalue("finished_project").folder
        return project / "results" / "smoke" / "tables", project / "config" / "smoke.yaml"
    tables = of_two_networks(gallery, tmp_path / "tables") if request.param == "two networks" else gallery
    return tables, gallery / "config.yaml"


def test_every_caption_speaks_for_its_run(root, run, tmp_path):
    folder, config_file = run
    config = parse_config(yaml.safe_load(config_file.read_text())).model_dump()
    tables = Tables({path.stem: path for path in folder.glob("*.csv")})
    stems = [stem for stem in FIGURES if config[stem] is not None]
    write_captions(
        tmp_path, templates=root / "workflow" / "report", stems=stems, tables=tables, config=config, labels={}
    )
    for stem in stems:
        text = (tmp_path / f"{stem}.rst").read_text()
        assert "nan" not in text.split() and "undefined" not in text, stem
        if folder != root / "figures" / "reference" / "mnist5k":
            continue
        assert NOTHING not in text, stem
