"""The ``snakemake`` object of a notebook, by hand the same as in the pipeline.

A notebook begins with::

    if "snakemake" not in globals() or snakemake.by_hand:
        from diffeo_stability.pipeline.interactive import mock_snakemake

        snakemake = mock_snakemake("draw_stability")

so that it runs in Jupyter, in an editor, as a plain script and, its inputs put in by the runner, in the pipeline. What it draws
by hand is put aside: the figures that the pipeline made stay as they are.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..core.errors import InputError
from .params import read_param

AS_TEXT = ("images", "looks")  # params of figures that hold what people wrote
BY_HAND = "by-hand"  # folder beside the figures of a run


@dataclass(frozen=True)
class Job:
    """A job's files and settings, named as in its rule: ``job.input.table``, ``job.output.pdf``, ``job.wildcards.run``.

    Attributes:
        rule: name of the rule.
        input, output, params, wildcards: by name.
        config: the run's configuration.
        by_hand: whether somebody runs the notebook, and not the pipeline.
    """

    rule: str
    input: SimpleNamespace
    output: SimpleNamespace
    params: SimpleNamespace
    wildcards: SimpleNamespace
    config: dict[str, Any]
    by_hand: bool = False

    def as_plain(self) -> dict[str, Any]:
        """Return the job as dicts, lists, texts and numbers; :meth:`from_plain` reads it back."""
        parts = {name: vars(part) if name in _PARTS else part for name, part in vars(self).items()}
        return json.loads(json.dumps(parts))  # Snakemake has lists and dicts of its own

    @classmethod
    def from_plain(cls, parts: dict[str, Any]) -> "Job":
        """Return the job that :meth:`as_plain` took apart."""
        return cls(**{name: SimpleNamespace(**part) if name in _PARTS else part for name, part in parts.items()})

    @classmethod
    def of(cls, snakemake: Any, root: Path | None = None) -> "Job":
        """Take what a notebook needs from Snakemake's own object, its paths made absolute if ``root`` is given."""

        def place(path):
            return str(path) if root is None else str(root / path)

        def named(files) -> SimpleNamespace:
            return SimpleNamespace(
                **{
                    name: place(value) if isinstance(value, str | Path) else [place(path) for path in value]
                    for name, value in files.items()
                }
            )

        return cls(
            rule=snakemake.rule,
            input=named(snakemake.input),
            output=named(snakemake.output),
            params=SimpleNamespace(
                **{name: read_param(value) if name in AS_TEXT else value for name, value in snakemake.params.items()}
            ),
            wildcards=SimpleNamespace(**dict(snakemake.wildcards.items())),
            config=snakemake.config,
        )


_PARTS = ("input", "output", "params", "wildcards")


def project_root(start: str | Path | None = None) -> Path:
    """Return the folder of the Snakefile, at or above ``start`` (the working directory if not given).

    Raises:
        InputError: there is none.
    """
    start = Path(start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "Snakefile").is_file():
            return folder
    raise InputError(f"no Snakefile at or above {start}: run this from inside the project's folder")


def mock_snakemake(rule: str, config: str | None = None, **wildcards: str) -> Job:
    """Return the job that the pipeline would run for a rule, as its notebook sees it, but for what it makes.

    That lies in the folder ``by-hand`` beside what the pipeline makes: a notebook that somebody is working on, or a copy of one,
    overwrites nothing.

    Args:
        rule: name of the rule.
        config: configuration file of the run, from the project's folder; the default run's if not given.
        wildcards: of the rule; ``run`` is the configuration's if not given.

    Raises:
        InputError: an input of the job is not there yet.
    """
    root = project_root()
    with _working_directory(root):
        job = Job.of(_find_job(rule, config, wildcards), root)
    files = [path for value in vars(job.input).values() for path in ([value] if isinstance(value, str) else value)]
    missing = [os.path.relpath(path, root) for path in files if not Path(path).exists()]
    if missing:
        run = f" --configfile {config}" if config else ""
        raise InputError(f"{missing[0]} is not there yet: make it with 'snakemake {' '.join(missing)}{run}'")
    aside = {name: str(Path(path).parent / BY_HAND / Path(path).name) for name, path in vars(job.output).items()}
    return replace(job, output=SimpleNamespace(**aside), by_hand=True)


@contextlib.contextmanager
def _working_directory(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _find_job(rule_name: str, config: str | None, wildcards: dict[str, str]) -> Any:
    """Have Snakemake read the workflow and expand one rule, as its command line does before it runs anything."""
    from snakemake.api import ConfigSettings, OutputSettings, ResourceSettings, SnakemakeApi
    from snakemake.settings.enums import Quietness

    settings = ConfigSettings(configfiles=[Path(config)] if config else [])
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(cores=1), config_settings=settings, snakefile=Path("Snakefile")
        )
        workflow = workflow_api._workflow
        rule = workflow.get_rule(rule_name)
        wildcards = {"run": workflow.config["run"], **wildcards}
        input_files, *_ = rule.expand_input(wildcards)
        output_files, *_ = rule.expand_output(wildcards)
        params, *_ = rule.expand_params(wildcards, input_files, output_files, job=None)
        return SimpleNamespace(
            rule=rule_name,
            input=input_files,
            output=output_files,
            params=params,
            wildcards=SimpleNamespace(items=wildcards.items),
            config=workflow.config,
        )
