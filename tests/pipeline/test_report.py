"""The report, and the executed analyses: pages of a finished run as a reader sees them in a browser."""

import base64
import io
import json
import math
import runpy
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlparse

import mistune
import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from hostile import SCRIPT
from PIL import Image

from diffeo_stability.figures import FIGURES
from diffeo_stability.figures.registry import SOURCES
from diffeo_stability.pipeline import notebooks
from diffeo_stability.pipeline.captions import write_captions
from diffeo_stability.pipeline.carried import embed_record, seal_png
from diffeo_stability.pipeline.claims import Tables
from diffeo_stability.pipeline.config import parse_config
from diffeo_stability.pipeline.crate import pack_crate
from diffeo_stability.pipeline.interactive import Job
from diffeo_stability.pipeline.notebooks import injected_cells
from diffeo_stability.pipeline.params import as_param, read_param
from diffeo_stability.pipeline.plan import Plan
from diffeo_stability.pipeline.records import hashes_of, write_records
from diffeo_stability.pipeline.report import THUMBNAIL, inches_wide, write_report
from diffeo_stability.pipeline.tables import read_table, write_table

PAGE = 6.75  # inches, as wide as figures of the width of a page are


@pytest.fixture(scope="module")
def page(finished_project):
    return finished_project.folder / "results" / "smoke" / "report.html"


@pytest.fixture(scope="module")
def driver():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    chromedriver = shutil.which("chromedriver")
    if not program or not chromedriver:
        pytest.skip("the report is looked at in Chromium: install chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-sync"):
        options.add_argument(f"--{argument}")
    options.add_argument("--window-size=1400,1000")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield driver
    driver.quit()


@pytest.fixture
def browser(driver, page):
    """The page, freshly opened at the size of a desktop."""
    return opened(driver, page)


def opened(driver, page):
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.get("about:blank")
    driver.get_log("performance")
    driver.get(page.as_uri())
    return driver


def narrow(driver):
    """The page on a phone, all that is folded unfolded."""
    size = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    unfold(driver)


def texts(browser, selector):
    return [element.text for element in browser.find_elements("css selector", selector)]


def unfold(driver):
    driver.execute_script("for (const details of document.querySelectorAll('details')) details.open = true")


def test_the_page_opens_on_pictures_and_then_the_claims(browser):
    pictures = browser.find_elements("css selector", ".glance img")
    assert len(pictures) == len(FIGURES) and pictures[0].location["y"] < 600
    claims_title = browser.find_elements("css selector", "h2")[0]
    assert claims_title.text == "Claims" and claims_title.location["y"] > pictures[-1].location["y"]
    strips = browser.find_elements("css selector", ".forest .strip")
    assert strips[0].size["width"] > 250 and strips[0].location["y"] > claims_title.location["y"]
    assert not any(table.is_displayed() for table in browser.find_elements("css selector", ".claims"))
    unfold(browser)
    claims, questions = browser.find_elements("css selector", ".claims")
    verdicts = {
        table: {cell.text for cell in table.find_elements("css selector", "tbody td.verdict")}
        for table in (claims, questions)
    }
    assert verdicts[claims] <= {"reproduced", "not reproduced", "inconclusive"} and verdicts[claims]
    assert verdicts[questions] & {"yes", "no", "undecided"}
    assert "that this run does not have" in browser.find_element("id", "claims").text


def test_figures_stand_under_their_sources_with_caption_table_and_provenance(browser, root):
    assert texts(browser, "section > h2") == ["Claims", "Networks", *SOURCES]
    for number, source in enumerate(SOURCES, start=1):
        stems = [stem for stem, figure in FIGURES.items() if figure.source == source]
        articles = browser.find_elements("css selector", f"#deck-{number} > article")
        assert [article.get_attribute("id") for article in articles] == list(stems)
    for stem in FIGURES:
        article = browser.find_element("id", stem)
        image = article.find_element("css selector", "img")
        assert image.get_property("naturalWidth") > 900 and image.get_attribute("alt")
        caption = article.find_element("css selector", "figcaption")
        template = (root / "workflow" / "report" / f"{stem}.rst").read_text()
        template = template.replace("{{ tested.error | capitalize }}", "Test error")
        assert caption.find_element("css selector", "strong").text.rstrip(".") in template and "{" not in caption.text
        links = [link.get_attribute("href") for link in article.find_elements("css selector", ".files a")]
        assert any(link.endswith(f"/tables/{stem}.csv") for link in links)
        assert any(link.endswith(f"/figures/smoke/{stem}.pdf") for link in links)
        details = article.find_element("css selector", "details")
        assert "draw_" + stem in details.find_element("css selector", "pre").get_property("textContent")


def test_figures_are_shown_to_one_scale(browser, finished_project):
    """One as wide as a column of a printed page is not blown up to the width of the page."""
    column = browser.find_element("css selector", "article").rect["width"]
    for stem in FIGURES:
        inches = inches_wide(finished_project.folder / "figures" / "smoke" / f"{stem}.png")
        width = browser.find_element("css selector", f"#{stem} img").rect["width"]
        assert width == pytest.approx(min(column, inches / PAGE * column), rel=0.02), stem


def test_a_figure_is_as_wide_as_it_is_on_paper(tmp_path):
    Image.new("RGB", (975, 10)).save(tmp_path / "column.png", dpi=(300, 300))
    assert inches_wide(tmp_path / "column.png") == pytest.approx(3.25, rel=1e-3)


def test_the_word_deck_is_explained_where_it_comes_first(browser):
    before, _, rest = browser.find_element("css selector", "body").text.partition(
        "A deck is a set of slides by L. Petrini"
    )
    assert rest and before.count("deck") == 1  # in the sentence that it follows on


def test_networks_stand_above_the_figures_with_errors_and_learning_curves(browser, finished_project, root):
    plan = Plan(parse_config(yaml.safe_load((root / "config" / "smoke.yaml").read_text())))
    usual, others = browser.find_elements("css selector", "#networks details")
    assert usual.get_attribute("open") and not others.get_attribute("open")
    assert usual.rect["y"] < browser.find_element("css selector", "article").rect["y"]
    rows = usual.find_elements("css selector", "tbody tr")
    tested = read_table(finished_project.folder / plan.tables("stability")[0])
    for row, training in zip(rows, filter(lambda one: one["usual"], plan.described_trainings()), strict=True):
        history = read_table(finished_project.folder / training["history"])
        trained = tested[(tested.net == training["network"]) & (tested.state == "trained")]
        errors = (history.train_error.iloc[-1], history.validation_error.iloc[-1], trained.test_error.iloc[0])
        for part in (training["architecture"], f"{training['width']:g}", "400", *(f"{error:.2%}" for error in errors)):
            assert part in row.text
        lines = row.find_elements("css selector", "svg polyline")
        points = [line.get_attribute("points").split() for line in lines]
        assert [len(line) for line in points] == [training["epochs"] + 1] * 2
    names = others.find_elements("css selector", "tbody tr")
    assert len(names) == len([one for one in plan.described_trainings() if not one["usual"]])


def test_links_lead_to_files_that_are_there(browser, page):
    links = {element.get_attribute("href") for element in browser.find_elements("css selector", "a")}
    for link in links:
        address = urlparse(link)
        assert address.scheme == "file"
        if address.path == page.as_posix():
            assert browser.find_elements("id", address.fragment)
        else:
            assert Path(unquote(address.path)).is_file(), link


def test_nothing_is_loaded_from_elsewhere(browser, page):
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = {
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    }
    assert page.as_uri() in addresses
    assert all(address.startswith(("file:", "data:")) for address in addresses), addresses
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_the_page_can_be_read_by_keyboard(browser):
    """Tab reaches the skip link, which is then seen, the navigation, the pictures, and the provenance, which Enter opens."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(key):
        ActionChains(browser).send_keys(key).perform()
        return browser.switch_to.active_element

    skip = press(Keys.TAB)
    assert skip.text == "Skip to the claims" and skip.location["x"] >= 0
    names = ["Claims", "Networks", *SOURCES]
    assert [press(Keys.TAB).text for _ in names] == names
    addresses = [urlparse(press(Keys.TAB).get_attribute("href")).fragment for _ in FIGURES]
    assert sorted(addresses) == sorted(FIGURES)
    browser.execute_script(
        "arguments[0].focus()", browser.find_element("css selector", f"#{next(iter(FIGURES))} summary")
    )
    press(Keys.ENTER)
    assert browser.find_element("css selector", f"#{next(iter(FIGURES))} details").get_attribute("open")


def test_the_page_fits_a_narrow_screen(browser):
    narrow(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    widths = browser.execute_script("return [...document.images].map(image => image.getBoundingClientRect().width)")
    assert len(widths) == 2 * len(FIGURES) and all(0 < width <= 360 for width in widths)
    rows = browser.execute_script("""
        return [...document.querySelectorAll(".forest *")].map(part => part.getBoundingClientRect())
    """)
    assert rows and all(row["left"] >= 0 and row["right"] <= 360 for row in rows)
    claim = browser.find_element("css selector", ".claims tbody tr")
    assert claim.size["width"] <= 360 and "reproduced" in claim.text
    cells = browser.execute_script("""
        const longest = document.querySelector(".claims .verdict.answer");
        longest.textContent = "D lowered by pooling (12 of 12), ".repeat(8) + "batchnorm1/".repeat(12);
        const cells = document.querySelectorAll(".claims td, .networks td");
        return [...cells].map(cell => [cell.getBoundingClientRect().right, cell.scrollWidth - cell.clientWidth])
    """)
    assert cells and all(right <= 360 and beyond <= 1 for right, beyond in cells)


def test_an_executed_analysis_shows_formulas_and_fits_a_narrow_screen(driver, finished_project):
    page = finished_project.folder / "results" / "smoke" / "notebooks" / "stability.html"
    opened(driver, page)
    formulas = driver.find_elements("css selector", "math")
    assert formulas and all(formula.rect["width"] > 5 for formula in formulas)
    assert not any(pre.is_displayed() for pre in driver.find_elements("css selector", "details.code pre"))
    table = driver.find_element("css selector", "table")
    assert table.is_displayed() and driver.find_element("css selector", "img").rect["width"] > 300
    narrow(driver)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 360
    assert table.rect["width"] > 360  # and is scrolled in its place
    assert all(pre.is_displayed() for pre in driver.find_elements("css selector", "details.code pre"))


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 810), dtype=np.uint8)).convert("RGB")
CLAIM_COLUMNS = ("claim", "kind", "criterion", "measured", "low", "high", "verdict")


@pytest.fixture
def small_page(root, tmp_path, monkeypatch):
    """Writes the page of a few figures, which all show the same, with claims made up; returns it as it is read."""
    monkeypatch.chdir(tmp_path)
    gallery = root / "figures" / "reference" / "mnist5k"
    plan = Plan(parse_config(yaml.safe_load((gallery / "config.yaml").read_text()) | {"run": "mine"}))
    tables = Path("results/mine/tables")
    tables.mkdir(parents=True)

    def write(stems, claims=()):
        for stem in stems:
            write_table(read_table(gallery / f"{stem}.csv"), tables / f"{stem}.csv")
        facts = {"part": None, "stem": stems[0], "statement": "s", "quantity": "q", "reason": "why", "source": "d"}
        write_table(pd.DataFrame(claims, columns=CLAIM_COLUMNS).assign(**facts), tables / "claims.csv")
        for path in tables.iterdir():
            write_records([path], rule="make", inputs={}, contents={}, params={}, config={"run": "mine"})
        return written_report(root, plan, stems, NOISE)

    return write


def test_every_figure_has_a_thumbnail_that_leads_to_it(small_page):
    stems = ["deformations", "laplacian_spectra"]
    text = small_page(stems)
    page = BeautifulSoup(text, "html.parser")
    links = page.select(".glance a")
    assert sorted(link["href"] for link in links) == sorted(f"#{stem}" for stem in stems)
    for link in links:
        figure = page.find(id=link["href"].removeprefix("#"))
        assert figure.name == "article" and link.text == figure.select_one("figure img")["alt"]
        assert link.text in link.img["alt"]
        small = base64.b64decode(link.img["src"].removeprefix("data:image/png;base64,"))
        width, height = Image.open(io.BytesIO(small)).size
        assert width <= THUMBNAIL[0] and height <= THUMBNAIL[1] and width / height == pytest.approx(1.35, rel=0.01)
        assert len(small) < width * height  # less than a byte per pixel, even of noise
    assert text == small_page(stems)


def test_a_run_of_one_figure_and_no_claims_has_a_page(small_page):
    page = BeautifulSoup(small_page(["deformations"]), "html.parser")
    assert len(page.select(".glance a")) == len(page.select("article")) == 1
    assert not page.select(".forest") and not page.select(".claims") and not page.select("#claims details")
    assert not page.select("#claims .key")


def test_claims_are_drawn_where_their_verdicts_say(small_page):
    claims = [
        ("2b", "claim", "< 1", 0.5, 0.4, 0.6, "reproduced"),
        ("2c", "claim", "> 1", 0.5, 0.4, 0.6, "not reproduced"),
        ("3a", "claim", "> 0.9", 0.5, -0.2, 0.95, "inconclusive"),
        ("1", "claim", "0.316 to 3.16", 9.0, 8.0, 10.0, "not reproduced"),
        ("18a", "claim", "-1.15 to -0.85", -1.0, -1.0, -1.0, "reproduced"),
        ("8b", "question", "not 1", 1.2, 1.1, 1.3, "yes"),
        ("5b", "question", "> 1.2", 1.0, 1.0, 1.0, "no"),
        ("10c", "question", "", 0.8, 0.7, 0.9, "lowered by convolutions"),
        ("3d", "claim", "0.1 to 0.3", math.nan, math.nan, math.nan, "needs networks"),
    ]
    page = BeautifulSoup(small_page(["deformations"], claims), "html.parser")
    rows = page.select(".forest li")
    assert [row.strong.text for row in rows] == [claim[0] for claim in claims]  # what was not measured comes last
    marks = {"reproduced": "met", "yes": "met", "not reproduced": "missed", "no": "missed", "inconclusive": "open"}
    told = {"met": {True}, "missed": {False}, "open": {True, False}}
    for row, (_, _, criterion, measured, low, high, verdict) in zip(rows, claims, strict=True):
        assert row.select_one(".verdict").text == verdict
        if math.isnan(measured):
            assert not row.select(".mark, .interval") and row.select(".met-here") and "why" in row.text
            continue
        mark = row.select_one(".mark")
        assert mark["href"] == f"#mark-{marks.get(verdict, 'words')}" and page.select(mark["href"])
        ends = sorted({percent(line[x]) for line in row.select(".interval") for x in ("x1", "x2")})
        assert len(ends) == (0 if low == high else 2)
        low, high = ends or [percent(mark["x"])] * 2
        assert low <= percent(mark["x"]) <= high
        shaded = [(percent(part["x"]), percent(part["x"]) + percent(part["width"])) for part in row.select(".met-here")]
        assert bool(shaded) == bool(criterion)
        if shaded:
            met = {any(start <= place <= end for start, end in shaded) for place in (low, high)}
            assert met == told[marks[verdict]], (criterion, verdict)


def percent(length):
    return float(length.removesuffix("%"))


WROTE = (
    "title",
    "label",
    "layer",
    "reason",
    "weights",
    "path",
    "mirror",
    "output",
)  # places where texts of people come from


def wrote(place):
    # An address has no spaces; to a browser a slash within a tag is one
    return SCRIPT.format(place=place).replace(" ", "/" if place == "mirror" else " ")


@pytest.fixture
def run_of_a_stranger(root, tmp_path, monkeypatch):
    """Its pages, each with the places that it shows texts from: every one of them would run a script, were it no text."""
    monkeypatch.chdir(tmp_path)
    gallery = root / "figures" / "reference" / "mnist5k"
    raw = yaml.safe_load((gallery / "config.yaml").read_text())
    mirror = f"https://example.org/{wrote('mirror')}"
    raw |= {"run": "mine", "dataset": {**raw["dataset"], "title": wrote("title"), "mirror": mirror}}
    raw["networks"]["vgg11"]["label"] = wrote("label")
    plan = Plan(parse_config(raw))
    tables = Path("results/mine/tables")
    tables.mkdir(parents=True)
    for name in ("stability", "laplacian_spectra", "claims"):
        table = read_table(gallery / f"{name}.csv")
        if "layer" in table:
            table["layer"] = wrote("layer") + table.layer
        write_table(table.assign(reason=wrote("reason")) if name == "claims" else table, tables / f"{name}.csv")
    Path(wrote("weights").replace("/", "")).touch()
    contents = {wrote("weights").replace("/", ""): "0" * 64}
    for path in tables.iterdir():
        write_records([path], rule="make", inputs={}, contents=contents, params={}, config=raw)
    return {
        "report": (
            written_report(root, plan, ["stability", "laplacian_spectra"], Image.new("RGB", (2, 2))),
            {"title", "label", "layer", "reason", "weights"},
        ),
        "notebook": (strangers_notebook(plan), {"title", "label", "path", "mirror", "output"}),
        "markdown": (strangers_markdown(root, plan), {"title", "label", "layer", "reason"}),
        "snakemake": (strangers_params(plan), {"title", "label"}),
    }


def written_report(root, plan, stems, picture):
    """The report of a run whose tables are there, and whose figures all show the same picture."""
    config, tables = plan.config.model_dump(), Path("results/mine/tables")
    named = Tables({stem: tables / f"{stem}.csv" for stem in stems})
    templates = root / "workflow" / "report"
    write_captions("captions", templates=templates, stems=stems, tables=named, config=config, labels=plan.labels)
    Path("figures").mkdir(exist_ok=True)
    for stem in stems:
        record = {"stem": stem, "run": "mine", "commit": "unknown", "dirty": False, "config": "0" * 64}
        text = embed_record(record | {"tables": hashes_of([tables / f"{stem}.csv"])})
        picture.save(f"figures/{stem}.png", pnginfo=seal_png(picture, {"Description": text}), dpi=(300, 300))
    write_report(
        "report.html",
        template=templates / "page.html",
        claims=tables / "claims.csv",
        stems=stems,
        trainings=[training | {"history": None} for training in plan.described_trainings()],
        captions="captions",
        introduction=templates / "workflow.rst",
        figures="figures",
        tables=tables,
        config=config,
    )
    return Path("report.html").read_text()


def strangers_notebook(plan):
    """An executed notebook: what its job is told, and what a table of names looks like."""
    params = SimpleNamespace(looks=plan.looks_in("stability"), path=wrote("path"))
    nothing = SimpleNamespace()
    job = Job("draw_stability", nothing, nothing, params, nothing, plan.config.model_dump())
    shown = nbformat.v4.new_output("display_data", {"text/html": pd.DataFrame([wrote("output")])._repr_html_()})
    printed = nbformat.v4.new_output("stream", text=wrote("output"))
    cells = [*injected_cells(job), nbformat.v4.new_code_cell("table", outputs=[shown, printed])]
    return notebooks.as_html(nbformat.v4.new_notebook(cells=cells), "stability")


def strangers_markdown(root, plan):
    """What stands in the RO-Crate and in the gallery, shown with all HTML that it holds."""
    table = Path("results/mine/tables/stability.csv")
    Path("Snakefile").touch()
    pack_crate("crate.zip", [table], workflow=["Snakefile"], stems=[], config=plan.config.model_dump())
    with zipfile.ZipFile("crate.zip") as crate:
        of_crate = crate.read("README.md").decode()
    readme = runpy.run_path(str(root / "workflow" / "gallery.py"))["readme"]
    tables = sorted(table.parent.glob("*.csv"))
    of_gallery = readme("# Mine", "Nothing.", tables, ["stability", "laplacian_spectra"], plan.labels)
    return mistune.create_markdown(escape=False, plugins=["table"])(f"{of_crate}\n\n{of_gallery}")


def strangers_params(plan):
    """The page of ``snakemake --report``, which puts params into a script as they are."""
    params = [as_param(plan.config.dataset.title)(None), as_param(plan.looks_in("stability"))(None)]
    assert read_param(params[0]) == wrote("title")
    shown = "document.body.textContent = params.map(JSON.parse).map(value => JSON.stringify(value)).join()"
    return f"<body><script>const params = {json.dumps(params)}; {shown}</script>"


def test_texts_that_people_wrote_are_text_in_every_page(driver, run_of_a_stranger, tmp_path):
    assert {place for _, places in run_of_a_stranger.values() for place in places} == set(WROTE)
    for name, (page, places) in run_of_a_stranger.items():
        path = tmp_path / f"{name}.html"
        path.write_text(page)
        opened(driver, path)
        assert driver.find_elements("css selector", "[onerror]") == [], name
        text = driver.execute_script("return document.body.textContent")
        for place in places:
            written = wrote(place).replace("/", "") if place == "weights" else wrote(place)
            assert written in text, (name, place)
