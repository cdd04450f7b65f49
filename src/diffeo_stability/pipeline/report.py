"""A run as one HTML page: its claims first, then every figure with caption, table and where it comes from.

The page needs nothing from elsewhere: images are in it, formulas are MathML, and tables lie beside it.
"""

import base64
import os
from pathlib import Path
from typing import Any

import docutils.core
import jinja2
import pandas as pd

from ..core.errors import InputError, one_line
from ..data.files import atomic_path
from ..figures import FIGURES
from ..figures.registry import SOURCES
from .claims import format_measured
from .provenance import as_tree, trace
from .tables import read_table


def render_caption(path: str | Path, config: dict[str, Any]) -> tuple[str, str]:
    """Return the title of a caption and the caption as HTML.

    Args:
        path: reStructuredText that begins with a title in bold, with ``{{ snakemake.config[...] }}`` filled in from ``config``.

    Raises:
        InputError: the caption names a key that is not there, or is no reStructuredText.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    try:
        text = environment.from_string(Path(path).read_text()).render(snakemake={"config": config})
        settings = {
            "math_output": "MathML",
            "report_level": 2,
            "halt_level": 2,
            "traceback": True,
            "warning_stream": False,
        }
        body = docutils.core.publish_parts(text, writer="html5", settings_overrides=settings)["fragment"]
    except (jinja2.TemplateError, docutils.utils.SystemMessage) as error:
        raise InputError(f"caption {path}: {one_line(error)}") from None
    _, bold, rest = text.lstrip().partition("**")
    return (rest.partition(".**")[0].partition("**")[0] if bold else ""), body


def claim_rows(claims: pd.DataFrame) -> list[dict[str, str]]:
    """Return the claims as they stand on the page."""
    return [
        {
            **{
                name: getattr(row, name)
                for name in ("claim", "statement", "quantity", "criterion", "verdict", "source", "stem")
            },
            "measured": format_measured(row),
            "class": row.verdict.replace(" ", "-"),
        }
        for row in claims.fillna({"reason": ""}).itertuples()
    ]


def write_report(
    page: str | Path,
    *,
    template: str | Path,
    claims: str | Path,
    stems: list[str],
    captions: str | Path,
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
        config: the run's configuration.

    Raises:
        InputError: a table, caption or figure that cannot be read.
    """
    beside = Path(page).parent

    def figure(stem: str) -> dict[str, Any]:
        png = Path(figures, f"{stem}.png")
        title, caption = render_caption(Path(captions, f"{stem}.rst"), config)
        files = [Path(tables, f"{stem}.csv"), Path(tables, f"{stem}_summary.csv"), png.with_suffix(".pdf")]
        return {
            "stem": stem,
            "title": title,
            "caption": caption,
            "image": base64.b64encode(png.read_bytes()).decode(),
            "files": [(path.name, Path(os.path.relpath(path, beside)).as_posix()) for path in files if path.exists()],
            "provenance": as_tree(trace(png)),
        }

    decks = {source: [figure(stem) for stem in stems if FIGURES[stem].source == source] for source in SOURCES}
    rows = claim_rows(read_table(claims))
    verdicts = ("reproduced", "not reproduced", "inconclusive")
    text = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True).from_string(Path(template).read_text())
    with atomic_path(page) as partial:
        partial.write_text(
            text.render(
                run=config["run"],
                introduction=render_caption(Path(captions, "workflow.rst"), config)[1],
                claims=rows,
                counts=[(verdict, sum(row["verdict"] == verdict for row in rows)) for verdict in verdicts],
                claims_table=Path(os.path.relpath(claims, beside)).as_posix(),
                stems=stems,
                decks={deck: found for deck, found in decks.items() if found},
            )
        )
