"""reStructuredText and formulas as HTML."""

import docutils.core
import docutils.utils

from ..core.errors import InputError, one_line


def as_html_fragment(text: str, named: str) -> str:
    """Return reStructuredText as HTML, its formulas as MathML. It has no way to HTML of its own or to other files.

    Args:
        text: reStructuredText.
        named: what an error calls it.

    Raises:
        InputError: it is no reStructuredText.
    """
    settings = {
        "raw_enabled": False,
        "file_insertion_enabled": False,
        "_disable_config": True,  # files of settings would have the last word
        "math_output": "MathML",
        "report_level": 2,
        "halt_level": 2,
        "traceback": True,
        "warning_stream": False,
    }
    try:
        return docutils.core.publish_parts(text, writer="html5", settings_overrides=settings)["fragment"]
    except docutils.utils.SystemMessage as error:
        raise InputError(f"{named}: {one_line(error)}") from None


def formula_as_html(formula: str, *, displayed: bool = False) -> str:
    """Return a formula as MathML.

    Args:
        formula: in LaTeX.
        displayed: whether it stands on a line of its own.

    Raises:
        InputError: it has a command that is not known.
    """
    tex = " ".join(formula.split())
    text = f".. math:: {tex}" if displayed else f":math:`{tex}`"
    html = as_html_fragment(text, f"the formula {tex} cannot be shown as MathML, write it in other words")
    around = "div" if displayed else "p"
    return html.strip().removeprefix(f"<{around}>").removesuffix(f"</{around}>")
