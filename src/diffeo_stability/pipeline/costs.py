"""Where the minutes of a run went: what its jobs took, by rule, from Snakemake's benchmark files."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InputError
from ..figures import FIGURES
from ..networks.progress import share_before
from .config import Run
from .plan import Plan

SUFFIX = ".benchmark.tsv"
LONGEST_LINE = 10_000  # letters
FETCHING = "fetch_dataset"


@dataclass(frozen=True)
class Cost:
    """What the jobs of one rule took.

    Attributes:
        jobs: how many there are.
        core_seconds: processor time of all together.
        longest: seconds of wall time of the longest one.
        memory: MiB of the largest one.
    """

    rule: str
    jobs: int
    core_seconds: float
    longest: float
    memory: float


def costs(config: Run) -> list[Cost]:
    """Return what a run's jobs took when they ran last, the dearest rule first.

    A training that went on after a break is counted as if it had gone through at once: what was measured since it went on, times
    all its epochs over those since then.

    Paths are taken from the working directory, which has to be the project's folder.

    Raises:
        InputError: nothing was run here.
    """
    jobs: dict[str, list[dict[str, float]]] = {}
    for rule, row in _benchmarks(config):
        jobs.setdefault(rule, []).append(row)
    if set(jobs) <= {FETCHING}:  # which may have been for another run with the same images
        raise InputError(f"nothing of run {config.run} was run here: logs/{config.run} holds no *{SUFFIX}")
    found = [
        Cost(
            rule,
            len(rows),
            sum(row["cpu_time"] for row in rows),
            max(row["s"] for row in rows),
            max(row["max_rss"] for row in rows),
        )
        for rule, rows in jobs.items()
    ]
    return sorted(found, key=lambda cost: -cost.core_seconds)


def _benchmarks(config: Run) -> Iterator[tuple[str, dict[str, float]]]:
    """Rule and numbers of every job of a run."""
    logs = Path("logs")
    paths = [(FETCHING, logs / "datasets" / f"{folder}{SUFFIX}") for folder in config.datasets]
    of_run = logs / config.run
    plan = Plan(config)
    others = FIGURES.keys() - {*plan.stems, *(FIGURES[stem].collects for stem in plan.stems)}
    for path in sorted(of_run.rglob(f"*{SUFFIX}")):
        rule, *training = path.relative_to(of_run).as_posix().removesuffix(SUFFIX).split("/")
        # Logs of what the configuration no longer asks for are left where they are
        if rule.partition("_")[2] not in others and (not training or tuple(training) in plan.trainings):
            paths.append((rule, path))
    for rule, path in paths:
        if path.exists():
            with path.open(newline="", errors="replace") as file:
                # Two lines; what is damaged has other ones, of any length
                lines = (line[:LONGEST_LINE] for line in file)
                of_all = 1 / (1 - share_before(_log_beside(path)))
                for row in csv.DictReader(lines, delimiter="\t"):
                    seconds = {name: of_all * _number(row.get(name)) for name in ("s", "cpu_time")}
                    yield rule, {**seconds, "max_rss": _number(row.get("max_rss"))}


def _log_beside(benchmark: Path) -> str:
    log = benchmark.with_name(f"{benchmark.name.removesuffix(SUFFIX)}.log")
    return log.read_text(errors="replace") if log.exists() else ""


def _number(text: str | None) -> float:
    """A number of a benchmark; 0 of a job that was over before it was measured."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def format_costs(found: Sequence[Cost]) -> str:
    """Return costs as a Markdown table, with a last line for all rules together."""
    total = sum(cost.core_seconds for cost in found)
    whole = total or 1.0  # of jobs that were over before they were measured
    lines = [
        f"| `{cost.rule}` | {cost.jobs} | {cost.core_seconds:,.0f} | {cost.core_seconds / whole:.0%} | {cost.longest:,.0f} | "
        f"{cost.memory:,.0f} |"
        for cost in found
    ]
    return "\n".join(
        [
            "| rule | jobs | core seconds | share | longest, seconds | memory, MiB |",
            "|---|---|---|---|---|---|",
            *lines,
            f"| all | {sum(cost.jobs for cost in found)} | {total:,.0f} | 100% | {max(cost.longest for cost in found):,.0f} | "
            f"{max(cost.memory for cost in found):,.0f} |",
        ]
    )
