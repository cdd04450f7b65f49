"""Captions: filled in with what a run was asked for and what its tables show, for any run."""

import pandas as pd
import pytest
import yaml

from diffeo_stability import InputError
from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline.captions import NOTHING, as_html, fill_caption, write_captions
from diffeo_stability.pipeline.claims import Tables
from diffeo_stability.pipeline.config import parse_config

CONFIG = {"probe": {"images": 7}}


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


@pytest.fixture(params=["default", "smoke", "two networks"])
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
    write_captions(tmp_path, templates=root / "workflow" / "report", stems=list(FIGURES), tables=tables, config=config)
    for stem in FIGURES:
        text = (tmp_path / f"{stem}.rst").read_text()
        assert "nan" not in text.split() and "undefined" not in text, stem
        if folder != root / "figures" / "reference" / "mnist5k":
            continue
        assert NOTHING not in text, stem
