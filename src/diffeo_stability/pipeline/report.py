"""A run as one HTML page: its figures at a glance, its claims drawn and in a table, its networks, then every figure with caption,
table and where it comes from.

The page needs nothing from elsewhere: images are in it, formulas are MathML, and tables lie beside it.
"""

import base64
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from PIL import Image

from ..data.files import atomic_path
from ..figures import FIGURES
from ..figures.registry import SOURCES
from .captions import as_html, fill_caption
from .claims import ANSWERS, format_measured, sort_claims
from .forest import draw_row
from .overview import PLOT, network_rows
from .provenance import as_tree, trace
from .tables import read_table

THUMBNAIL = (400, 300)  # pixels at most: twice those of the page, for screens of fine pixels
SHADES = 64  # of a thumbnail
# What marks a verdict or the answer to a question, so that colour alone need not tell; answers in words of their own have another
MARKS = {word: mark for pair, mark in zip(ANSWERS.items(), ("met", "missed", "open"), strict=True) for word in pair}


def claim_rows(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Return claims or questions as they stand on the page."""
    return [
        {
            **{
                name: getattr(row, name)
                for name in ("claim", "statement", "quantity", "criterion", "verdict", "reason", "source", "stem")
            },
            "measured": format_measured(row),
            "class": row.verdict.replace(" ", "-") if row.kind == "claim" else "answer",
            "mark": MARKS.get(row.verdict, "words"),
            "drawing": draw_row(row.criterion, row.measured, row.low, row.high),
        }
        for row in claims.itertuples()
    ]


def inches_wide(png: str | Path) -> float:
    """Return how wide a figure is on paper."""
    with Image.open(png) as image:
        return image.width / image.info["dpi"][0]


def thumbnail(png: str | Path) -> bytes:
    """Return a small copy of a figure, as PNG; the same picture gives the same bytes."""
    with Image.open(png) as image:
        small = image.convert("RGB")
    small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.quantize(SHADES).save(file, "png", optimize=True)
    return file.getvalue()


def write_report(
    page: str | Path,
    *,
    template: str | Path,
    claims: str | Path,
    stems: list[str],
    trainings: Iterable[Mapping[str, Any]],
    captions: str | Path,
    introduction: str | Path,
    figures: str | Path,
    tables: str | Path,
    config: dict[str, Any],
) -> None:
    """Write the page of a run.

    Args:
        page: where to.
        template: of the page, in Jinja's syntax.
        claims: table ``claims``.
        stems: figures of the run.
        trainings: of the run, as its plan describes them; their histories are read.
        captions, figures, tables: folders of ``<stem>.rst``, ``<stem>.png`` and ``.pdf``, and ``<stem>.csv``.
        introduction: template of what the page begins with.
        config: the run's configuration.

    Raises:
        InputError: a table, caption or figure that cannot be read.
    """
    beside = Path(page).parent
    places = {"captions": Path(captions), "figures": Path(figures), "tables": Path(tables)}
    decks = {
        source: [_figure(stem, beside, **places) for stem in stems if FIGURES[stem].source == source]
        for source in SOURCES
    }
    found = sort_claims(read_table(claims))
    histories = {path: read_table(path) for training in trainings if (path := training["history"])}
    tested = read_table(Path(tables, "stability.csv")) if "stability" in stems else None
    networks, others = network_rows(trainings, histories, tested)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
    text = environment.from_string(Path(template).read_text()).render(
        run=config["run"],
        introduction=as_html(fill_caption(introduction, config), introduction)[1],
        claims=claim_rows(found.claims),
        questions=claim_rows(found.questions),
        unmeasured=claim_rows(found.unmeasured),
        counts=list(found.counts.items()),
        unspoken=found.unspoken,
        claims_table=_link(Path(claims), beside),
        trainings={"Networks": networks, "Trainings for single figures": others},
        plot=PLOT,
        test_only=config["dataset"].get("test_only", False),
        stems=stems,
        decks={deck: shown for deck, shown in decks.items() if shown},
    )
    with atomic_path(page) as partial:
        partial.write_text(text)


def _figure(stem: str, beside: Path, *, captions: Path, figures: Path, tables: Path) -> dict[str, Any]:
    """A figure as it stands on a page in the folder ``beside``."""
    png = figures / f"{stem}.png"
    text = captions / f"{stem}.rst"
    title, caption = as_html(text.read_text(), text)
    summary = [tables / f"{stem}_summary.csv"] if FIGURES[stem].has_summary else []
    files = [tables / f"{stem}.csv", *summary, png.with_suffix(".pdf")]
    return {
        "stem": stem,
        "title": title,
        "caption": caption,
        "inches": inches_wide(png),
        "image": base64.b64encode(png.read_bytes()).decode(),
        "thumbnail": base64.b64encode(thumbnail(png)).decode(),
        "files": [(path.name, _link(path, beside)) for path in files],
        "provenance": as_tree(trace(png)),
    }


def _link(path: Path, beside: Path) -> str:
    """How a page in the folder ``beside`` refers to a file."""
    return Path(os.path.relpath(path, beside)).as_posix()
