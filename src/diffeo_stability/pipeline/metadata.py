"""What Snakemake knows of how a run's files were made, set right by the records that lie beside them.

Snakemake keeps that in ``.snakemake``. It may be lost, or be about other files of the same names: results are copied, moved and
brought back. Records go wherever their files go. So, before a run is planned, Snakemake is told what they say; then it makes anew
what was made with other settings or code or from something else than what lies there now, and nothing else.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence
from snakemake.settings.types import DAGSettings

from ..core.errors import InputError, few
from .records import Record, files_in, name_of, read_record, record_of, written_at

SHORT = 12  # digits of a hash that are shown
SMALL = DAGSettings.max_checksum_file_size  # bytes
CONTENTS = "contents"  # the one of a job's params that its record keeps apart


class Job(NamedTuple):
    """A job as Snakemake would run it now.

    Attributes:
        outputs: files and folders that it makes.
        inputs: files and folders that it reads.
        named: those of them that have a name in its rule, which are those that records hold.
        dated: those of them by whose times Snakemake goes.
        params: by name.
    """

    outputs: list[str]
    inputs: list[str]
    named: list[str]
    dated: list[str]
    params: dict[str, Any]


def set_metadata_right(workflow: Any, paths: Iterable[str]) -> list[str]:
    """Have Snakemake know of a run's files what their records say.

    Args:
        workflow: Snakemake's own object, with all rules.
        paths: files and folders that rules make; they need not be there.

    Returns:
        Those that are newer than what was made from them and, by the records, are no others than what it was made from.

    Raises:
        InputError: of some that are there the record cannot be read, or nothing is known at all: one line for each record, and
            one for all that have none.
    """
    snakemakes = FilePersistence(nolock=True)
    jobs = list(_jobs_of(workflow, paths))
    records = _records_of([path for job in jobs for path in job.outputs], snakemakes)
    newer: list[str] = []
    for job in jobs:
        made = [path for path in job.outputs if path in records]
        told = [_tell(snakemakes, path, job, records) for path in made]
        if made == job.outputs and all(told):
            newer += _newer(job)
    return list(dict.fromkeys(newer))


def name_newer(paths: list[str], config: str) -> str:
    """Return a line on files for whose times alone others would be made anew, and how to keep these.

    Args:
        config: the run's configuration file.
    """
    return (
        f"note: {few(paths, 1)}: newer than what was made from them, which is made anew for that alone; if only times were lost, "
        f"python -m diffeo_stability adopt {config} first keeps it"
    )


def _jobs_of(workflow: Any, paths: Iterable[str]) -> Iterator[Job]:
    """Jobs that made files: each once, however many of them it made; none of files that are not there."""
    made: set[str] = set()
    for path in paths:
        rules = (rule for rule in workflow.rules if any(output.match(path) for output in rule.output))
        rule = next(rules, None) if path not in made and Path(path).exists() else None
        if rule is None:
            continue
        wildcards = rule.get_wildcards(path)
        inputs, outputs = rule.expand_input(wildcards)[0], rule.expand_output(wildcards)[0]
        params, _ = rule.expand_params(wildcards, inputs, outputs, None)
        made.update(map(str, outputs))
        dated = [str(path) for path in inputs if not path.is_ancient]
        yield Job([*map(str, outputs)], [*map(str, inputs)], files_in(inputs), dated, dict(params.items()))


def _records_of(paths: Iterable[str], snakemakes: FilePersistence) -> dict[str, Record]:
    """Records of files and folders, of those that are there and have one.

    Raises:
        InputError: see :func:`set_metadata_right`.
    """
    records, wrong, unknown = {}, [], []
    for path in filter(lambda path: Path(path).exists(), paths):
        if record_of(path).exists():
            try:
                records[path] = read_record(path)
            except InputError as error:
                wrong.append(str(error))
        elif snakemakes._read_record(path) is None and not snakemakes._filter_incomplete_keys([path]):
            unknown.append(path)
    if unknown:
        wrong.append(
            f"{few(unknown, 1)} came here without a record of how it was made, {record_of(unknown[0])}: copy the hidden folders "
            "too, or delete what has no record, run again"
        )
    if wrong:
        raise InputError("\n".join(wrong))
    return records


def _tell(snakemakes: FilePersistence, path: str, job: Job, records: Mapping[str, Record]) -> bool:
    """Have Snakemake know of a file what its record says, and return whether it would be made like that now.

    What Snakemake knows of it besides stays.
    """
    known, record = snakemakes._read_record(path), records[path]
    was = record.params | ({CONTENTS: record.contents} if CONTENTS in job.params else {})
    told = {"params": _params(was, job, snakemakes), "input": _inputs(record, job, records)}
    if (
        known is None
        or known.record_format_version != RECORD_FORMAT_VERSION
        or told != {name: known[name] for name in told}
    ):
        update = {**told, "record_format_version": RECORD_FORMAT_VERSION}
        snakemakes._write_record(path, (known or _first_metadata(path, record)).model_copy(update=update))
    now = _params(_as_recorded(job.params), job, snakemakes)
    return told == {"params": now, "input": sorted(job.inputs)}


def _first_metadata(path: str, record: Record) -> MetadataRecord:
    """What Snakemake is told of a file that it knows nothing of."""
    written = written_at(path)
    checksums = {name: f"sha256:{used}" for name, used in record.inputs.items()}
    return MetadataRecord(
        rule=record.rule, starttime=written, endtime=written, incomplete=False, input_checksums=checksums
    )


def _newer(job: Job) -> list[str]:
    """Inputs for whose times alone Snakemake runs a job again; of small files it compares checksums."""
    made = min(map(written_at, job.outputs))
    there = [path for path in job.dated if Path(path).exists() and written_at(path) > made]
    return [path for path in there if Path(path).is_dir() or Path(path).stat().st_size > SMALL]


def _params(was: Mapping[str, Any], job: Job, snakemakes: FilePersistence) -> list[str]:
    """Params as Snakemake keeps them: those that are as they were as it would keep them now, others with names and old values."""
    same = {name for name, value in job.params.items() if name in was and _as_recorded(value) == was[name]}
    kept = [snakemakes._serialize_param(value) for name, value in job.params.items() if name in same]
    changed = [f"{name}: {value!r}" for name, value in was.items() if name not in same]
    changed += [f"{name} was not there" for name in job.params if name not in was]
    return sorted([*(text for text in kept if isinstance(text, str)), *changed])


def _as_recorded(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _inputs(record: Record, job: Job, records: Mapping[str, Record]) -> list[str]:
    """Inputs as Snakemake keeps them; of those that have become others since, the hash that they had stands beside the name.

    What only lies in another folder now, as a data set may, is no other.
    """
    now = {name_of(path): path for path in job.named}
    hashes = {name: records[path].sha256 for name, path in now.items() if path in records}
    added = now.keys() - record.inputs.keys()
    kept, others = [], []
    for name, used in record.inputs.items():
        moved = [other for other in added if Path(other).name == Path(name).name and hashes.get(other) == used]
        if name in now and hashes.get(name, used) == used:
            kept.append(now[name])
        elif name not in now and moved:
            kept.append(now[moved[0]])
        else:
            others.append(f"{name} (sha256 {used[:SHORT]})")
    return sorted(job.inputs if not others and {*kept} == {*now.values()} else [*kept, *others])
