"""Texts that people wrote, among the params of rules: Snakemake shall take nothing in them for its own.

It fills in what stands in braces in params that are texts, and its own report (``snakemake --report``) puts params into a script
of the page as they are.
"""

import json
from collections.abc import Callable
from typing import Any


def as_param(value: Any) -> Callable[[Any], str]:
    """Return a plain value as a param, which ends no script wherever it stands; :func:`read_param` gives it back."""
    text = json.dumps(value).replace("<", r"\u003c")
    return lambda wildcards: text  # what a function returns is not filled in


def read_param(text: str) -> Any:
    """Return the value that :func:`as_param` was given."""
    return json.loads(text)
