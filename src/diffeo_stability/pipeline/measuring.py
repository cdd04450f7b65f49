"""What a measuring job gives to a figure's measurement."""

from typing import TYPE_CHECKING, Any

from ..data.settings import TwoPoints
from ..figures import FIGURES
from ..figures.registry import Given
from ..figures.settings import Probe
from ..figures.stability import Stability
from .jobs import set_up_torch
from .tables import read_table

if TYPE_CHECKING:
    from ..data.datasets import Dataset


def given_to(job: Any) -> Given:
    """Return what a figure's measurement is given, from the files and params of its job.

    Args:
        job: Snakemake's own object.
    """
    figure, params = FIGURES[job.params.stem], dict(job.params.items())
    files = dict(job.input.items())
    device: Any = "cpu"
    if figure.reads or not figure.tables:  # what is measured from tables needs no torch, which takes seconds to import
        from ..data.store import load_dataset

        device = set_up_torch(params["device"], job.threads)
    dataset = load_dataset(files["dataset"]) if "dataset" in files else None
    if dataset is not None and "checkpoints" in files:
        dataset = _of_its_classes(dataset, files["checkpoints"])
    return Given(
        # Checked when the run was planned; here only what decides the numbers is left
        settings=figure.settings.model_construct(**params["settings"]),
        probe=next((Probe(**params[name]) for name in ("probe", "resampling") if name in params), None),
        stability=Stability.model_construct(**params["stability"]) if "stability" in params else None,
        two_points=TwoPoints(**params["two_points"]) if "two_points" in params else None,
        copy_of=params.get("copy_of"),
        device=device,
        dataset=dataset,
        checkpoints=files.get("checkpoints"),
        tables={name: read_table(files[name]) for name in figure.tables},
    )


def _of_its_classes(dataset: "Dataset", checkpoints: str) -> "Dataset":
    """The images of the classes that a training tells apart: of others its network says nothing."""
    from ..data.classes import of_first_classes
    from ..networks.checkpoints import list_checkpoints, read_metadata

    count = read_metadata(list_checkpoints(checkpoints)[-1])["split"].get("label_count")
    return dataset if count is None else of_first_classes(dataset, count)
