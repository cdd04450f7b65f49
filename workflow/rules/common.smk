import os
import re
import sys
from pathlib import Path

from diffeo_stability.core.errors import InputError
from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline.before import check_inputs
from diffeo_stability.pipeline.code import CodeOf
from diffeo_stability.pipeline.config import parse_config
from diffeo_stability.pipeline.config_files import read_yaml, typed
from diffeo_stability.pipeline.leftovers import name_left_over
from diffeo_stability.pipeline.metadata import name_newer, set_metadata_right
from diffeo_stability.pipeline.own_code import check_own_code
from diffeo_stability.pipeline.params import as_param
from diffeo_stability.pipeline.plan import Plan
from diffeo_stability.pipeline.run_log import RunLog, what_is_made, what_went_wrong
from snakemake.utils import update_config


def in_lines(error):
    """What cannot go on, as it is said."""
    return "\n".join(f"error: {line}" for line in str(error).splitlines())


try:
    # Snakemake reads them too, but takes the last of several equal keys without a word
    for file in workflow.configfiles:
        read_yaml(file)
    update_config(config, typed(workflow.config_settings.config))
    plan = Plan(parse_config(config))
except InputError as error:
    sys.exit(str(error))
settings = plan.config
code = CodeOf(Path(workflow.basedir), settings)
try:
    plan.check_access()
    # What lies outside need not be within the reach of a cluster's nodes
    if workflow.is_main_process:
        check_own_code(settings)
        code.check_networks()
        plan.check_sources()
except InputError as error:
    sys.exit(in_lines(error))
configuration = " ".join(map(os.path.relpath, workflow.configfiles))
if workflow.config_settings.config:
    configuration += " FILE (with the keys that --config gives)"
left = name_left_over(plan, configuration) if workflow.is_main_process else None
if left:
    print(left, file=sys.stderr)

# Captions and hashes see the defaults too
config.update(settings.model_dump(exclude_none=True))
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


def made_by_rules(paths):
    """Those of files that rules make; a figure with its own need not have all that others have."""
    patterns = [pattern for rule in workflow.rules for pattern in rule.output]
    return [path for path in paths if any(pattern.match(path) for pattern in patterns)]


def check_records():
    """Have Snakemake know what records say, before it looks what is to be made."""
    try:
        newer = set_metadata_right(workflow, [*plan.made(), plan.page(), plan.crate()])
    except InputError as error:
        sys.exit(in_lines(error))
    if newer:
        print(name_newer(newer, configuration), file=sys.stderr)


def check_jobs():
    """Check what jobs will read, before Snakemake removes what they made before."""
    if not workflow.touch:
        try:
            check_inputs(workflow.dag.needrun_jobs(), configuration)
        except InputError as error:
            sys.exit(in_lines(error))


def show_verdicts():
    """Say what the run shows, if all of it was asked for."""
    if set(workflow.dag_settings.targets) <= {"all"}:
        # It takes longer to import than all that planning needs
        from diffeo_stability.__main__ import main

        print(f"figures/{settings.run} is up to date.", end=" ")
        print("What the sources claim, and what this run says:")
        main(["claims", plan.claims()])


def show_errors():
    """Say again why jobs failed: it was said where they did, and others went on."""
    if workflow.scheduler.failed:
        said = what_went_wrong(workflow.scheduler.failed, run_log.begun)
        print(said, file=sys.stderr)


def show_near(asked):
    """Say what may have been meant by a target that there is not."""
    names = [rule.name for rule in workflow.rules if not rule.has_wildcards()]
    made = [*names, *plan.made(), *plan.notebooks(), plan.page(), plan.crate()]
    print(what_is_made(asked, settings.run, made), file=sys.stderr)


run_log = RunLog(workflow, at_end=show_verdicts, at_unknown=show_near)
if workflow.is_main_process:
    logger.addHandler(run_log)
