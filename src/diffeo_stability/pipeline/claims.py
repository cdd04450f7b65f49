"""The decks' claims, each measured from a run's tables, and what becomes of it: reproduced, not reproduced or inconclusive.

Which number decides, and where it was claimed, stands in ``config/claims.yaml``; how it is measured, in the room of its figure.
"""

import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

import pandas as pd
import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from ..core.errors import InputError, one_line
from ..figures import FIGURES
from ..figures.claim_measures import Measure, Measured, MissingError
from ..settings import Block
from .tables import read_table

Verdict = Literal["reproduced", "not reproduced", "inconclusive"]


class Claim(Block):
    """A claim of the decks, as it stands in ``config/claims.yaml``."""

    claim: Annotated[str, Field(pattern=r"^\d+[a-z]?$")] = Field(
        description="number in science.md, and a letter for its parts"
    )
    stem: Literal[tuple(FIGURES)] = Field(description="the figure that shows it")
    statement: str = Field(description="what is claimed, in a few words")
    measured: str = Field(description="the number that decides")
    above: float | None = Field(None, description="reproduced above this number")
    below: float | None = Field(None, description="reproduced below this number")
    source: str = Field(description="who claims it")

    @model_validator(mode="after")
    def _has_a_criterion(self):
        if self.above is None and self.below is None:
            raise ValueError("neither above nor below is given: a claim needs a criterion")
        return self

    @property
    def criterion(self) -> str:
        if self.above is None or self.below is None:
            return f"< {self.below:g}" if self.above is None else f"> {self.above:g}"
        return f"{self.above:g} to {self.below:g}"


# What the command that prints a table of claims needs of it
COLUMNS = ("claim", "statement", "measured", "low", "high", "criterion", "verdict", "reason")


class Tables:
    """The tables of a run, read when they are asked for.

    Args:
        paths: of the tables by name.
    """

    def __init__(self, paths: Mapping[str, str | Path]):
        self._paths = paths
        self._read = cache(read_table)

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._paths:
            raise MissingError(f"the run has no {name.removesuffix('_summary')}")
        return self._read(self._paths[name])


@cache
def measures() -> dict[str, Measure]:
    """Return what measures each claim, by the claim's name."""
    return {claim: measure for figure in FIGURES.values() for claim, measure in figure.claims().items()}


def load_claims(path: str | Path) -> list[Claim]:
    """Read the claims and their criteria.

    Raises:
        InputError: the file is missing, no YAML, or a claim is incomplete or stands there twice.
    """
    try:
        claims = TypeAdapter(list[Claim]).validate_python(yaml.safe_load(Path(path).read_text()))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"claims {path} cannot be read: {one_line(error)}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise InputError(f"claims {path}: entry {place}: {problem['msg']}") from None
    names = [claim.claim for claim in claims]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"claims {path}: claim {repeated} stands there more than once")
    unknown = next((name for name in names if name not in measures()), None)
    if unknown is not None:
        raise InputError(f"claims {path}: nothing measures claim {unknown}; there are {', '.join(measures())}")
    return claims


def judge(claim: Claim, measured: Measured) -> Verdict:
    """Return a claim's verdict: by where the interval lies, within the criterion, outside of it, or across."""
    above, below = (
        infinity if limit is None else limit for limit, infinity in ((claim.above, -math.inf), (claim.below, math.inf))
    )
    if measured.low > above and measured.high < below:
        return "reproduced"
    if measured.high <= above or measured.low >= below:
        return "not reproduced"
    return "inconclusive"


def _worst(claim: Claim, found: Measured | list[Measured]) -> Measured:
    """Of several numbers the one that does worst: by its verdict, then by how far its interval reaches out of the criterion."""
    severity = {"reproduced": 0, "inconclusive": 1, "not reproduced": 2}

    def badness(one: Measured) -> tuple[int, float]:
        above = one.high - claim.below if claim.below is not None else -math.inf
        below = claim.above - one.low if claim.above is not None else -math.inf
        return severity[judge(claim, one)], max(above, below)

    return max([found] if isinstance(found, Measured) else found, key=badness)


def evaluate_claims(claims: Iterable[Claim], tables: Tables) -> pd.DataFrame:
    """Measure every claim from a run's tables: the table ``claims``, one row per claim."""
    rows = []
    for claim in claims:
        row = {"claim": claim.claim, "stem": claim.stem, "statement": claim.statement, "quantity": claim.measured}
        try:
            measured = _worst(claim, measures()[claim.claim](tables))
            verdict = judge(claim, measured)
            reason = "the interval straddles the criterion" if verdict == "inconclusive" else ""
        except MissingError as missing:
            measured, verdict, reason = Measured(math.nan, math.nan, math.nan), "inconclusive", str(missing)
        rows.append(
            row
            | {"measured": measured.value, "low": measured.low, "high": measured.high}
            | {"criterion": claim.criterion, "verdict": verdict, "reason": reason, "source": claim.source}
        )
    return pd.DataFrame(rows)


def format_measured(row: NamedTuple) -> str:
    """Return the number of a row of the table ``claims`` with its interval; or why there is none."""
    return f"{row.measured:.3g} [{row.low:.3g}, {row.high:.3g}]" if math.isfinite(row.measured) else row.reason


def format_claims(table: pd.DataFrame) -> str:
    """Return the table ``claims`` as short aligned lines, and a last line that counts the verdicts."""
    lines = [
        (row.claim, row.statement, format_measured(row), row.criterion, row.verdict)
        for row in table.fillna({"reason": ""}).itertuples()
    ]
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(4)]
    text = ["  ".join((*map(str.ljust, line, widths), line[-1])) for line in lines]
    counts = table.verdict.value_counts()
    text.append(", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in get_args(Verdict)))
    return "\n".join(text)
