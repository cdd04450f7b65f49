"""What a run made once and no longer asks for: files of figures whose block was taken out of the configuration."""

from pathlib import Path

from .plan import Plan
from .records import FOLDER, record_of

PARTS = ("tables", "pictures", "captions", "notebooks")  # of the results, beside figures


def left_over(plan: Plan) -> list[Path]:
    """Return files that lie beside those of the run's figures, have a record of their own and are not made any more."""
    run = plan.config.run
    folders = Path("figures", run), *(Path("results", run, part) for part in PARTS)
    records = [record for folder in folders for record in sorted((folder / FOLDER).glob("*.json"))]
    recorded = [record.parents[1] / record.name.removesuffix(".json") for record in records]
    made = set(map(Path, plan.shown()))
    return [path for path in recorded if path not in made and path.is_file()]


def name_left_over(plan: Plan, config: str) -> str | None:
    """Return a line that names what is left over and how to remove it; nothing if nothing is.

    Args:
        config: the run's configuration file.
    """
    files = ", ".join(map(str, left_over(plan)))
    remedy = f"python -m diffeo_stability tidy {config} removes them"
    return f"note: {files}: the configuration does not ask for these any more: {remedy}" if files else None


def remove_left_over(plan: Plan) -> list[Path]:
    """Remove what is left over, with its records, and return what it was."""
    files = left_over(plan)
    for path in files:
        path.unlink()
        record_of(path).unlink()
    return files
