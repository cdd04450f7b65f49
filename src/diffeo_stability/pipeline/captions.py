"""Captions, filled in with what the run was asked for and what its tables show, and networks' labels in place of their names."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from ..core.errors import InputError, one_line
from ..data.files import atomic_path
from ..figures import FIGURES
from ..figures.words import number, tested, verbatim, with_labels
from .markup import as_html_fragment

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "This run's tables hold nothing that could be said in a sentence."


def fill_caption(path: str | Path, config: Mapping[str, Any], findings: str = "") -> str:
    """Return a caption with its numbers: reStructuredText.

    Args:
        path: of the template, with ``{{ config.<key> }}`` and ``{{ findings }}``; ``{{ tested.images }}`` and so on, see
            :func:`~diffeo_stability.figures.words.tested`; and ``{{ rms_displacement(config.stability) }}``.
        config: the run's configuration.
        findings: what the run's tables show, reStructuredText.

    Raises:
        InputError: the template names what is not there, or is no template.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, finalize=_as_it_reads)
    try:
        template = environment.from_string(Path(path).read_text())
        # The introduction is rendered by Snakemake too, by its own object
        return template.render(
            config=config,
            findings=Markup(findings or NOTHING),
            tested=tested(config.get("dataset", {})),
            rms_displacement=rms_displacement,
            snakemake={"config": config},
        )
    except jinja2.TemplateError as error:
        raise InputError(f"caption {path}: {one_line(error)}") from None


def rms_displacement(stability: Mapping[str, Any]) -> str:
    """Return the root-mean-square displacement, by the mode sum, where the typical one is what a block ``stability`` asks for.

    The ratio of the two, sqrt(2 sum 1 / (i^2 + j^2) / (pi ln c)), depends on the cutoff c alone; in pixels, and for any ensemble,
    it is :func:`~diffeo_stability.core.deformation.rms_displacement`, which takes torch to import.
    """
    cutoff = stability["cutoff"]
    squares = (i * i + j * j for i in range(1, cutoff + 1) for j in range(1, cutoff + 1))
    modes = sum(1 / square for square in squares if square <= (cutoff + 0.5) ** 2)
    return number(stability["displacement"] * math.sqrt(2 * modes / (math.pi * math.log(cutoff))))


def _as_it_reads(value: Any) -> Any:
    """What a template puts in: text that people wrote is no markup, unless the template says that it is."""
    return verbatim(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def as_html(caption: str, source: str | Path) -> tuple[str, str]:
    """Return the title of a caption, which it begins with in bold, and the caption as HTML.

    Args:
        caption: reStructuredText.
        source: file that it comes from, for errors.

    Raises:
        InputError: it is no reStructuredText.
    """
    body = as_html_fragment(caption, f"caption {source}")
    _, bold, rest = caption.lstrip().partition("**")
    return (rest.partition(".**")[0].partition("**")[0] if bold else ""), body


def write_captions(
    folder: str | Path,
    *,
    templates: str | Path,
    stems: list[str],
    tables: "Mapping[str, pd.DataFrame]",
    config: Mapping[str, Any],
    labels: Mapping[str, str],
) -> None:
    """Write the captions of a run's figures.

    Args:
        folder: gets ``<stem>.rst``.
        templates: folder of the templates, ``<stem>.rst``.
        stems: figures of the run.
        tables: of the run, by name.
        config: its configuration.
        labels: what its networks are called, by name.

    Raises:
        InputError: a template that cannot be filled in.
    """
    for stem in stems:
        findings = with_labels(FIGURES[stem].describe(tables), labels)
        text = fill_caption(Path(templates, f"{stem}.rst"), config, findings)
        as_html(text, f"{stem}.rst")
        with atomic_path(Path(folder, f"{stem}.rst")) as partial:
            partial.write_text(text)
