"""Results that were copied without what Snakemake knows of how they were made, so that it cannot tell when that changes."""

from base64 import urlsafe_b64encode
from pathlib import Path

from .plan import Plan
from .records import record_of

METADATA = Path(".snakemake", "metadata")
LONGEST = 254  # characters of a name; what has a longer one lies elsewhere, and is left out here


def name_copied(plan: Plan) -> str | None:
    """Return a line on results that lie there without Snakemake's own record of them; nothing if there are none.

    Paths are taken from the working directory, which has to be the project's folder.
    """
    checkpoints = [f"{training.place(plan.config.run)}/checkpoints" for training in plan.trainings.values()]
    datasets = map(plan.dataset_file, plan.config.datasets)
    made = [path for path in (*datasets, *checkpoints, *plan.shown()) if Path(path).exists()]
    unknown = [path for path in made if record_of(path).exists() and not _is_known(path)]
    if not unknown:
        return None
    return (
        f"note: {unknown[0]}{f' and {len(unknown) - 1} more' if unknown[1:] else ''} came here without {METADATA}, which says of "
        "what settings, code and images they were made: a change of these makes none of them anew, unless it is copied too"
    )


def _is_known(path: str) -> bool:
    name = urlsafe_b64encode(path.encode()).decode()
    return len(name) > LONGEST or (METADATA / name).exists()
