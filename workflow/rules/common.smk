import os
import re
import sys
from pathlib import Path

from diffeo_stability.core.errors import InputError
from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline.code import CodeOf
from diffeo_stability.pipeline.config import parse_config, read_yaml
from diffeo_stability.pipeline.copied import name_copied
from diffeo_stability.pipeline.leftovers import name_left_over
from diffeo_stability.pipeline.plan import Plan

try:
    for file in workflow.configfiles:
        read_yaml(
            file
        )  # Snakemake reads them too, but takes the last of several equal keys without a word
    plan = Plan(parse_config(config))
except InputError as error:
    sys.exit(str(error))
settings = plan.config
code = CodeOf(Path(workflow.basedir), settings)
try:
    plan.check_access()
    if (
        workflow.is_main_process
    ):  # what lies outside need not be within the reach of a cluster's nodes
        code.check_networks()
        plan.check_sources()
except InputError as error:
    sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))
if workflow.is_main_process:
    files = " ".join(map(os.path.relpath, workflow.configfiles))
    for note in filter(None, (name_left_over(plan, files), name_copied(plan))):
        print(note, file=sys.stderr)

config.update(
    settings.model_dump(exclude_none=True)
)  # captions and hashes see the defaults too
training_gpus = 0 if settings.device == "cpu" else 1


def one_of(names):
    """Regular expression of one of the names."""
    return "|".join(map(re.escape, sorted(names))) or "(?!)"


wildcard_constraints:
    run=settings.run,
    net=one_of(settings.networks),
    variant=one_of({variant for _, variant in plan.trainings}),


def growing(amount):
    """A resource that doubles with every new attempt at a job, where jobs are tried again."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)
