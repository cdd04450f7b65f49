"""What the sources claim and ask, each measured from a run's tables, and what becomes of it.

A claim is reproduced, not reproduced or inconclusive; a question is answered by yes, no or undecided. Which number decides, and
where it was claimed or asked, stands in ``config/claims.yaml``; how it is measured, in the room of its figure.
"""

import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

import pandas as pd
import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from ..core.errors import InputError, one_line, printable
from ..figures import FIGURES
from ..figures.claim_measures import Answer, Found, Measure, Measured, MissingError, Noted, Ways
from ..figures.words import in_plain_text, listed
from ..settings import Block
from .tables import read_table

Verdict = Literal["reproduced", "not reproduced", "inconclusive"]
ANSWERS = dict(zip(get_args(Verdict), ("yes", "no", "undecided"), strict=True))
SEVERITY = ("reproduced", "inconclusive", "not reproduced")
NO_FIGURE, NO_NETWORK = "needs a figure", "needs networks"
NOT_MEASURED = Measured(math.nan, math.nan, math.nan)
OTHERS_NAMED = 4  # nets that a claim does not hold for


class Claim(Block):
    """A claim or question, as it stands in ``config/claims.yaml``."""

    claim: Annotated[str, Field(pattern=r"^\d+[a-z]?$")] = Field(description="number, and a letter for its parts")
    part: str | None = Field(None, description="which criterion it is, of a claim that has several")
    kind: Literal["claim", "question"] = Field(description="whether a source asserts or asks it")
    stem: Literal[tuple(FIGURES)] = Field(description="the figure that shows it")
    statement: str = Field(description="what is claimed or asked, in a few words")
    measured: str = Field(description="the number that decides")
    above: float | None = Field(None, description="reproduced above this number")
    at_least: float | None = Field(None, description="reproduced at this number and above it, in place of above")
    below: float | None = Field(None, description="reproduced below this number")
    unlike: float | None = Field(None, description="answered by yes if it is not this number, else undecided")
    source: str = Field(description="who claims or asks it")

    @model_validator(mode="after")
    def _has_a_criterion(self):
        given = [name for name in ("above", "at_least", "below") if getattr(self, name) is not None]
        if self.kind == "claim" and not given:
            raise ValueError("neither above, at_least nor below is given: a claim needs a criterion")
        if self.at_least is not None and len(given) > 1:
            raise ValueError(f"at_least and {'above' if 'above' in given else 'below'} are given: leave one out")
        if self.unlike is not None and (self.kind == "claim" or given):
            raise ValueError("unlike is for questions, by itself")
        return self

    @property
    def name(self) -> str:
        """The claim and which criterion of it: no other has both."""
        return self.claim if self.part is None else f"{self.claim} {self.part}"

    @property
    def criterion(self) -> str:
        if self.unlike is not None:
            return f"not {self.unlike:g}"
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        if self.above is not None and self.below is not None:
            return f"{self.above:g} to {self.below:g}"
        return "" if self.above is self.below else f"< {self.below:g}" if self.above is None else f"> {self.above:g}"

    def accepts(self, value: float) -> bool:
        """Whether a number without uncertainty meets the criterion."""
        above, below = self.limits
        return above < value < below and value != self.unlike

    @property
    def limits(self) -> tuple[float, float]:
        """Between which numbers the criterion lies; infinite where it is open."""
        if self.at_least is not None:
            return _below(self.at_least), math.inf
        above = -math.inf if self.above is None else self.above
        return above, math.inf if self.below is None else self.below


def _below(number: float) -> float:
    """The last number before one: what lies above the former is at least the latter."""
    return math.nextafter(number, -math.inf)


def where_met(criterion: str) -> list[tuple[float, float]]:
    """Return between which numbers a criterion is met: the inverse of :attr:`Claim.criterion`.

    Args:
        criterion: in words, as the table ``claims`` has it. Nowhere is met one that is empty.

    Raises:
        InputError: it is no criterion.
    """
    try:
        match criterion.split():
            case []:
                return []
            case ["not", number]:
                return [(-math.inf, float(number)), (float(number), math.inf)]
            case ["<", below]:
                return [(-math.inf, float(below))]
            case [">", above]:
                return [(float(above), math.inf)]
            case [">=", least]:
                return [(float(least), math.inf)]
            case [above, "to", below]:
                return [(float(above), float(below))]
    except ValueError:
        pass
    raise InputError(f"{printable(criterion)} is no criterion of the table claims: delete that table and run again")


# What the command that prints a table of claims needs of it
COLUMNS = ("claim", "kind", "statement", "measured", "low", "high", "criterion", "verdict", "reason")

NUMBERS = ("measured", "low", "high")
MAY_BE_MISSING = ("criterion", "reason")


class NoFigureError(MissingError):
    """A run lacks the figure that shows a claim."""


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
            raise NoFigureError(f"the run has no {name.removesuffix('_summary')}")
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
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise InputError(f"claims {path}: entry {place}: {one_line(problem['msg'])}") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"claims {path} cannot be read: {one_line(error)}") from None
    names = [claim.name for claim in claims]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"claims {path}: claim {repeated} stands there more than once")
    unknown = next((name for name in names if name not in measures()), None)
    if unknown is not None:
        raise InputError(f"claims {path}: nothing measures claim {unknown}; there are {', '.join(measures())}")
    return claims


def judge(claim: Claim, measured: Measured) -> Verdict:
    """Return a claim's verdict: by where the interval lies, within the criterion, outside of it, or across."""
    if claim.unlike is not None:
        return "inconclusive" if measured.low <= claim.unlike <= measured.high else "reproduced"
    above, below = claim.limits
    if measured.low > above and measured.high < below:
        return "reproduced"
    if measured.high <= above or measured.low >= below:
        return "not reproduced"
    return "inconclusive"


def _badness(claim: Claim, measured: Measured) -> tuple[int, float]:
    """How badly a number does: by its verdict, then by how far its interval reaches out of the criterion."""
    above, below = claim.limits
    return SEVERITY.index(judge(claim, measured)), max(measured.high - below, above - measured.low)


def _median_network(claim: Claim, found: Mapping[str, Measured], labels: Mapping[str, str]) -> tuple[Measured, str]:
    """What decides of a class of nets, the median one, and in words how many agree with a claim, or of how many a question is
    answered by yes; of two in the middle, the worse."""
    networks = sorted(found, key=lambda name: found[name].value)
    middle = (len(networks) - 1) // 2
    median = max(
        (found[name] for name in networks[middle : len(networks) - middle]), key=lambda one: _badness(claim, one)
    )
    others = [name for name in networks if not _agrees(claim, found[name])]
    asked, total = claim.kind == "question", len(networks)
    if total == 1:
        return median, f"{labels.get(networks[0], networks[0])} alone"
    if len(others) == total:
        return median, f"yes in none of {total} nets" if asked else f"none of {total} nets agrees"
    count = f"{total - len(others)} of {total} nets"
    words = f"yes in {count}" if asked else f"{count} agree"
    if others:
        worst_first = sorted(others, key=lambda name: _badness(claim, found[name]), reverse=True)
        named = [f"{labels.get(name, name)} ({found[name].value:.3g})" for name in worst_first]
        words += f", not {'in ' if asked else ''}{listed(named, OTHERS_NAMED)}"
    return median, words


def _agrees(claim: Claim, measured: Measured) -> bool:
    """Whether a net's number meets the criterion; a number is unlike another one only if its interval says so."""
    return judge(claim, measured) == "reproduced" if claim.unlike is not None else claim.accepts(measured.value)


def _worst_way(claim: Claim, ways: Ways) -> tuple[Measured, str]:
    """What decides of a number measured in several ways, and in words all of them."""
    worst = max(ways.found, key=lambda way: _badness(claim, ways.found[way]))
    said = [f"{found.value:.3g} at {way}" + " (decides)" * (way == worst) for way, found in ways.found.items()]
    return ways.found[worst], ", ".join(said)


def _decide(claim: Claim, found: Found, labels: Mapping[str, str]) -> tuple[Measured, str, str]:
    """Which number decides, the verdict or answer, and the reason in words."""
    if isinstance(found, Noted):
        measured, verdict, reason = _decide(claim, found.found, labels)
        return measured, verdict, "; ".join(filter(None, [reason, in_plain_text(found.note, labels)]))
    if isinstance(found, Answer):
        return found.measured, found.answer, found.reason
    words = ""
    if isinstance(found, Mapping):
        measured, words = _median_network(claim, found, labels)
    elif isinstance(found, Ways):
        measured, words = _worst_way(claim, found)
    elif isinstance(found, Measured):
        measured = found
    else:
        measured = max(found, key=lambda one: _badness(claim, one))
    verdict = judge(claim, measured)
    straddles = ["the interval straddles the criterion"] if verdict == "inconclusive" else []
    return (
        measured,
        verdict if claim.kind == "claim" else ANSWERS[verdict],
        "; ".join([*straddles, *filter(None, [words])]),
    )


def evaluate_claims(claims: Iterable[Claim], tables: Tables, labels: Mapping[str, str]) -> pd.DataFrame:
    """Measure every claim and question from a run's tables: the table ``claims``, one row each.

    A row that the run's figures or networks cannot speak to says which it needs, in place of a verdict.

    Args:
        labels: what networks are called; one that is not among them is called by its name.
    """
    rows = []
    for claim in claims:
        try:
            measured, verdict, reason = _decide(claim, measures()[claim.name](tables), labels)
        except NoFigureError as missing:
            measured, verdict, reason = NOT_MEASURED, NO_FIGURE, str(missing)
        except MissingError as missing:
            measured, verdict, reason = NOT_MEASURED, NO_NETWORK, str(missing)
        rows.append(
            {"claim": claim.claim, "part": claim.part, "kind": claim.kind, "stem": claim.stem}
            | {"statement": claim.statement, "quantity": claim.measured}
            | {"measured": measured.value, "low": measured.low, "high": measured.high}
            | {"criterion": claim.criterion, "verdict": verdict, "reason": reason, "source": claim.source}
        )
    return pd.DataFrame(rows)


def read_claims_table(path: str | Path) -> pd.DataFrame:
    """Read the table ``claims``.

    Raises:
        InputError: the file is missing, no table, or another one.
    """
    table = read_table(path, COLUMNS)
    for column in COLUMNS:
        if column in NUMBERS:
            fits = pd.api.types.is_numeric_dtype(table[column]) and not pd.api.types.is_complex_dtype(table[column])
        else:
            fits = all(
                isinstance(value, str) or (column in MAY_BE_MISSING and pd.isna(value)) for value in table[column]
            )
        if not fits:
            what = "numbers" if column in NUMBERS else "text"
            raise InputError(f"{path} is no table of claims: its column {column} holds something else than {what}")
    return table


class Sorted(NamedTuple):
    """The table ``claims``, by what a run says of it.

    Attributes:
        claims, questions: rows that were measured.
        counts: of the claims, by verdict.
        unspoken: in words, how many more need what the run does not have; empty if none do.
        unmeasured: the rows of these.
    """

    claims: pd.DataFrame
    questions: pd.DataFrame
    counts: dict[str, int]
    unspoken: str
    unmeasured: pd.DataFrame


def sort_claims(table: pd.DataFrame) -> Sorted:
    """Divide the table ``claims`` into claims, questions, and what the run cannot speak to."""
    table = table.fillna({"reason": "", "criterion": ""})
    spoken = ~table.verdict.isin([NO_FIGURE, NO_NETWORK])
    measured = table[spoken]
    claims = measured[measured.kind == "claim"]
    counts = {verdict: int((claims.verdict == verdict).sum()) for verdict in get_args(Verdict)}
    needs = {what: int((table.verdict == what).sum()) for what in (NO_FIGURE, NO_NETWORK)}
    words = [
        f"{count} more need{'s' if count == 1 else ''} {what} that this run does not have"
        for count, what in ((needs[NO_FIGURE], "figures"), (needs[NO_NETWORK], "networks"))
        if count
    ]
    return Sorted(claims, measured[measured.kind == "question"], counts, "; ".join(words), table[~spoken])


def format_measured(row: NamedTuple) -> str:
    """Return the number of a row of the table ``claims`` with its interval; a place that is infinitely far off is nowhere."""
    if math.isnan(row.measured):
        return ""
    numbers = ["nowhere" if math.isinf(value) else f"{value:.3g}" for value in (row.measured, row.low, row.high)]
    return numbers[0] if len(set(numbers)) == 1 and numbers[0] == "nowhere" else "{} [{}, {}]".format(*numbers)


def format_claims(table: pd.DataFrame) -> str:
    """Return the table ``claims`` as short aligned lines: claims, how many have which verdict, questions, and the rest."""
    found = sort_claims(table)

    def lines_of(rows: pd.DataFrame) -> list[tuple[str, ...]]:
        return [
            (row.claim, row.statement, format_measured(row), row.criterion, row.verdict, row.reason)
            for row in rows.itertuples()
        ]

    claims, questions = lines_of(found.claims), lines_of(found.questions)
    # Answers in words of their own may be long, and end their lines
    short = [line for line in (*claims, *questions) if len(line[4]) <= len("not reproduced")]
    widths = [max((len(line[column]) for line in short), default=0) for column in range(5)]

    def aligned(lines: list[tuple[str, ...]]) -> list[str]:
        return ["  ".join((*map(str.ljust, line, widths), line[-1])).rstrip() for line in lines]

    text = [*aligned(claims), ", ".join(f"{count} {verdict}" for verdict, count in found.counts.items())]
    if questions:
        text += ["", "Questions", *aligned(questions)]
    return "\n".join([*text, *filter(None, [found.unspoken])])
