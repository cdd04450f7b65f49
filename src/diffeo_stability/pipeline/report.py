"""A run as one HTML page: its claims first, then every figure with caption, table and where it comes from.

The page needs nothing from elsewhere: images are in it, formulas are MathML, and tables lie beside it.
"""

import base64
import os
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from ..data.files import atomic_path
from ..figures import FIGURES
from ..figures.registry import SOURCES
from .captions import as_html, fill_caption
from .claims import format_measured, sort_claims
from .provenance import as_tree, trace
from .tables import read_table


def claim_rows(claims: pd.DataFrame) -> list[dict[str, str]]:
    """Return claims or questions as they stand on the page."""
    return [
        {
            **{
                name: getattr(row, name)
                for name in ("claim", "statement", "quantity", "criterion", "verdict", "reason", "source", "stem")
            },
            "measured": format_measured(row),
            "class": row.verdict.replace(" ", "-") if row.kind == "claim" else "answer",
        }
        for row in claims.itertuples()
    ]


def write_report(
    page: str | Path,
    *,
    template: str | Path,
    claims: str | Path,
    stems: list[str],
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
        captions, figures, tables: folders of ``<stem>.rst``, ``<stem>.png`` and ``.pdf``, and ``<stem>.csv``.
        introduction: template of what the page begins with.
        config: the run's configuration.

    Raises:
        InputError: a table, caption or figure that cannot be read.
    """
    beside = Path(page).parent

    def figure(stem: str) -> dict[str, Any]:
        png = Path(figures, f"{stem}.png")
        text = Path(captions, f"{stem}.rst")
        title, caption = as_html(text.read_text(), text)
        summary = [Path(tables, f"{stem}_summary.csv")] if FIGURES[stem].has_summary else []
        files = [Path(tables, f"{stem}.csv"), *summary, png.with_suffix(".pdf")]
        return {
            "stem": stem,
            "title": title,
            "caption": caption,
            "image": base64.b64encode(png.read_bytes()).decode(),
            "files": [(path.name, Path(os.path.relpath(path, beside)).as_posix()) for path in files],
            "provenance": as_tree(trace(png)),
        }

    decks = {source: [figure(stem) for stem in stems if FIGURES[stem].source == source] for source in SOURCES}
    found = sort_claims(read_table(claims))
    text = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True).from_string(Path(template).read_text())
    with atomic_path(page) as partial:
        partial.write_text(
            text.render(
                run=config["run"],
                introduction=as_html(fill_caption(introduction, config), introduction)[1],
                claims=claim_rows(found.claims),
                questions=claim_rows(found.questions),
                counts=list(found.counts.items()),
                unspoken=found.unspoken,
                claims_table=Path(os.path.relpath(claims, beside)).as_posix(),
                stems=stems,
                decks={deck: found for deck, found in decks.items() if found},
            )
        )
