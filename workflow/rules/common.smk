import re
import sys
from pathlib import Path

from diffeo_stability.core.errors import InputError
from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline.code import CodeOf
from diffeo_stability.pipeline.config import parse_config, read_yaml
from diffeo_stability.pipeline.plan import Plan

try:
    for file in workflow.configfiles:
        read_yaml(file)  # Snakemake reads them too, but takes the last of several equal keys without a word
    plan = Plan(parse_config(config))
except InputError as error:
    sys.exit(str(error))
try:
    plan.check_access()
except InputError as error:
    sys.exit(f"error: {error}")

settings = plan.config
code = CodeOf(Path(workflow.basedir), settings)
config.update(settings.model_dump(exclude_none=True))  # captions and hashes see the defaults too
training_gpus = 0 if settings.device == "cpu" else 1


def one_of(names):
    """Regular expression of one of the names."""
    return "|".join(map(re.escape, sorted(names))) or "(?!)"


wildcard_constraints:
    run=settings.run,
    net=one_of(settings.networks),
    variant=one_of({variant for _, variant in plan.trainings}),


def folders_of(path):
    """A path and all folders below it: adding or removing an image changes its folder's time."""
    if path is None:
        return []
    below = (folder for folder in Path(path).glob("**/") if folder != Path(path))
    return [path, *sorted(map(str, below))]


def growing(amount):
    """A resource that doubles with every new attempt at a job, where jobs are tried again."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)
