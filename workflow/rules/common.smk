import re
import sys
from pathlib import Path

from diffeo_stability.config import parse_config
from diffeo_stability.errors import InputError
from diffeo_stability.modules import modules_used_by
from diffeo_stability.plan import Plan

try:
    plan = Plan(parse_config(config))
except InputError as error:
    sys.exit(str(error))
try:
    plan.check_access()
except InputError as error:
    sys.exit(f"error: {error}")

settings = plan.config
config.update(settings.model_dump())  # captions and hashes see the defaults too
training_gpus = 0 if settings.device == "cpu" else 1


def one_of(names):
    """Regular expression of one of the names."""
    return "|".join(map(re.escape, sorted(names))) or "(?!)"


wildcard_constraints:
    run=settings.run,
    net=one_of(settings.networks),
    variant=one_of({variant for _, variant in plan.trainings}),


def from_here(path):
    return str(
        path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    )


def used_by(source):
    """A script or notebook and the library modules that it uses: editing one reruns the job."""
    modules = modules_used_by(Path(workflow.basedir, source))
    return [source, *map(from_here, modules)]


def folders_of(path):
    """A path and all folders below it: adding or removing an image changes its folder's time."""
    if path is None:
        return []
    return [
        path,
        *sorted(
            str(folder) for folder in Path(path).glob("**/") if folder != Path(path)
        ),
    ]


def growing(amount):
    """A resource that doubles with every new attempt at a job, where jobs are tried again."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)
