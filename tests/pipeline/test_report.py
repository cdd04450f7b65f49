"""The report, and the executed analyses: pages of a finished run as a reader sees them in a browser."""

import json
import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
import yaml
from PIL import Image

from diffeo_stability.figures import FIGURES
from diffeo_stability.figures.registry import SOURCES
from diffeo_stability.pipeline.config import parse_config
from diffeo_stability.pipeline.plan import Plan
from diffeo_stability.pipeline.report import inches_wide
from diffeo_stability.pipeline.tables import read_table

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
    driver.execute_script("for (const details of document.querySelectorAll('details')) details.open = true")


def texts(browser, selector):
    return [element.text for element in browser.find_elements("css selector", selector)]


def test_the_page_opens_on_the_claims(browser):
    first = browser.find_elements("css selector", "h2")[0]
    assert first.text == "Claims" and first.location["y"] < 600
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
    """Tab reaches the skip link, which is then seen, the navigation, and the provenance, which Enter opens."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(key):
        ActionChains(browser).send_keys(key).perform()
        return browser.switch_to.active_element

    skip = press(Keys.TAB)
    assert skip.text == "Skip to the claims" and skip.location["x"] >= 0
    names = ["Claims", "Networks", *SOURCES, "All figures"]
    assert [press(Keys.TAB).text for _ in names] == names
    press(Keys.ENTER)
    assert browser.find_element("css selector", "nav details").get_attribute("open")
    assert press(Keys.TAB).text == next(iter(FIGURES))
    browser.execute_script(
        "arguments[0].focus()", browser.find_element("css selector", f"#{next(iter(FIGURES))} summary")
    )
    press(Keys.ENTER)
    assert browser.find_element("css selector", f"#{next(iter(FIGURES))} details").get_attribute("open")


def test_the_page_fits_a_narrow_screen(browser):
    narrow(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    widths = browser.execute_script("return [...document.images].map(image => image.getBoundingClientRect().width)")
    assert len(widths) == len(FIGURES) and all(0 < width <= 360 for width in widths)
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
