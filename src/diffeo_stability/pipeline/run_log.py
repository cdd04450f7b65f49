"""What a run says besides Snakemake's own words: how long it has to go, at its end what went wrong, or what it shows."""

import difflib
import logging
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from ..core.errors import printable

NOT_MADE = re.compile(r"^MissingRuleException:\s+No rule to produce (.+?) \(if you use")
FEWEST = 3  # jobs that have to be done before the rest can be guessed from them
SILENT = "it ended without a word: for want of memory, or because code of a network ends the process (os._exit)"
WORDS = ("error: ", "interrupted")  # with which a job says in its log how it ended


class RunLog(logging.Handler):
    """Follows a run by what Snakemake logs, and says after every job about how long there is to go.

    Args:
        workflow: Snakemake's own object.
        at_end: called if there is nothing to be done, for which Snakemake has no hook.
        at_unknown: called with what was asked for, if it is nothing that the run makes; neither is there a hook for that.
    """

    def __init__(self, workflow: Any, at_end: Callable[[], None], at_unknown: Callable[[str], None]):
        super().__init__()
        self.begun = time.time()
        self._workflow = workflow
        self._at_end = at_end
        self._at_unknown = at_unknown
        self._running: dict[int, tuple[str, float]] = {}
        self._took: dict[str, list[float]] = defaultdict(list)
        self._declared: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if record.msg == NOTHING_TO_BE_DONE_MSG and not self._workflow.dryrun:
            self._at_end()
        elif isinstance(record.msg, str) and (asked := NOT_MADE.match(record.msg)):
            self._at_unknown(asked[1])
        elif event == LogEvent.JOB_INFO:
            self._running[record.jobid] = _kind(record.rule_name), record.created
            self._declared[_kind(record.rule_name)] = record.resources.get("runtime", 0)
        elif event == LogEvent.JOB_ERROR:
            self._running.pop(record.jobid, None)
        elif event == LogEvent.JOB_FINISHED and record.job_id in self._running:
            kind, begun = self._running.pop(record.job_id)
            self._took[kind].append(record.created - begun)
        elif event == LogEvent.PROGRESS and self._took and FEWEST <= record.done < record.total:
            text = f"about {in_words(self._seconds_left(record.created))} to go"
            logging.getLogger(record.name).info(text, extra={"quietness": Quietness.PROGRESS})

    def _seconds_left(self, now: float) -> float:
        unfinished: dict[str, int] = defaultdict(int)
        for job in self._workflow.dag.needrun_jobs():
            unfinished[_kind(job.rule.name)] += 1
            self._declared.setdefault(_kind(job.rule.name), job.resources.get("runtime") or 0)
        running = [now - begun for _, begun in self._running.values()]
        return seconds_left(self._took, unfinished, self._declared, running, now - self.begun)


def _kind(rule: str) -> str:
    """What a rule does, to whichever figure: ``measure`` of ``measure_stability``."""
    return rule.partition("_")[0]


def seconds_left(
    took: Mapping[str, Sequence[float]],
    unfinished: Mapping[str, int],
    declared: Mapping[str, float],
    running: Sequence[float],
    elapsed: float,
) -> float:
    """Return about how long a run has to go.

    Args:
        took: seconds of the jobs that are done, by kind.
        unfinished: how many jobs are not done, by kind.
        declared: time that one job of a kind may take, in any unit: of kinds of which none is done, it tells how they compare.
        running: for how many seconds the jobs go on already that are running.
        elapsed: seconds since the run began.
    """
    all_took = sum(map(sum, took.values()))
    share = all_took / max(1, sum(declared[kind] * len(times) for kind, times in took.items()))
    work = sum(
        count * (mean(took[kind]) if took.get(kind) else share * declared[kind]) for kind, count in unfinished.items()
    )
    at_once = (all_took + sum(running)) / elapsed
    return max(0.0, work - sum(running)) / at_once


def in_words(seconds: float) -> str:
    """Return a time as one says it: in seconds, minutes or hours."""
    if seconds < 90:
        return f"{max(1, round(seconds)):d} s"
    return f"{round(seconds / 60):d} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def last_words(log: str | Path, since: float) -> str:
    """Return in one printable line how a job ended, from its log.

    Args:
        log: what an earlier run left there is not taken for its words.
        since: when this run began, in seconds since the epoch.
    """
    log = Path(log)
    if not log.is_file() or log.stat().st_mtime < since:
        return SILENT
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(WORDS)]
    if said:
        return printable(said[-1].removeprefix(WORDS[0]))
    return printable(f"{lines[-1].strip()} (all of it is in {log})") if lines else SILENT


def what_went_wrong(failed: Iterable[Any], since: float) -> str:
    """Return what the failed jobs of a run said last: one line each.

    Args:
        failed: Snakemake's own objects, of jobs and groups of jobs.
        since: when the run began, in seconds since the epoch.
    """
    jobs = [job for one in failed for job in (one.jobs if one.is_group() else [one])]
    lines = sorted(f"  {job.message or job.rule.name}: {last_words(job.log[0], since)}" for job in jobs if job.log)
    return "\n".join([f"{len(lines)} job{'s' if len(lines) > 1 else ''} went wrong:", *lines])


def what_is_made(asked: str, run: str, made: Iterable[str]) -> str:
    """Return what somebody may have meant who asked for what a run does not make.

    Args:
        made: what it makes, and names of all or some of it.
    """
    near = difflib.get_close_matches(asked, sorted(made), n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    return printable(f"note: run {run} makes no {asked}{hint} Another run needs --configfile config/<run>.yaml")
