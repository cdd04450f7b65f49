"""What the pipeline has to know of a figure, besides its settings; and what a figure's measurement is given and gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import torch
    from torch import Tensor, nn

    from ..data.datasets import Dataset
    from ..data.settings import TwoPoints
    from .settings import FigureSettings, Probe

OCTOBER, NOVEMBER = "October deck", "November and December decks"
PAPERS = "Papers arXiv:2105.02468 and arXiv:2210.01506"
SOURCES = (OCTOBER, NOVEMBER, PAPERS)
TRAINING = ("dataset", "checkpoints")


@dataclass(frozen=True)
class Figure:
    """A figure: the room in which it is described, and what the pipeline has to know of it.

    Attributes:
        room: package of the figure, ``__name__`` there; its last part is the figure's stem.
        settings: block of the configuration.
        source: where the figure comes from, one of ``SOURCES``; its category in the report.
        order: place among the figures of its source.
        measured: once for every training, once for a run, or not at all: then it shows what another figure measured.
        reads: files that it is measured from: ``dataset``, ``checkpoints``; none if it is about neither images nor trainings.
        tables: tables of other figures that it is measured from.
        takes: settings that decide the numbers besides the figure's own: the blocks ``probe`` and ``stability``; ``resampling``,
            the ``seed`` and ``resamples`` of ``probe`` alone; ``copy_of`` and ``two_points`` of the data set's block.
        makes: what a measurement gives: ``table``, ``summary``, ``pictures``.
        collects: the figure whose measurements its table collects, if that is another one.
        summarised: whether the summary is computed when the table is collected, by ``collection.collect_<stem>``.
        by_kind: whether the kinds of networks decide what is collected.
        draws: tables of other figures that its notebook reads.
        on_gpu: whether a GPU makes its measurement faster.
        needs: figures whose blocks the run must have.
        usable: the kind of network that it can be measured on, and in words what that is; any if not given.
    """

    room: str
    settings: type[FigureSettings]
    source: str
    order: int
    measured: Literal["training", "run"] | None = "training"
    reads: tuple[str, ...] = TRAINING
    tables: tuple[str, ...] = ()
    takes: tuple[str, ...] = ("probe",)
    makes: tuple[str, ...] = ("table",)
    collects: str | None = None
    summarised: bool = False
    by_kind: bool = False
    draws: tuple[str, ...] = ()
    on_gpu: bool = False
    needs: tuple[str, ...] = ()
    usable: tuple[str, str] | None = None

    @property
    def stem(self) -> str:
        return self.room.rpartition(".")[2]

    @property
    def has_summary(self) -> bool:
        return self.summarised or "summary" in self.makes

    @property
    def has_pictures(self) -> bool:
        return "pictures" in self.makes

    def has(self, part: str) -> bool:
        """Whether the room has a module ``measurement``, ``collection``, ``claims`` or ``findings``."""
        return find_spec(f"{self.room}.{part}") is not None

    def measure(self, given: Given) -> Measured:
        """Measure the figure: ``measure_<stem>`` of its module ``measurement``."""
        return getattr(import_module(f"{self.room}.measurement"), f"measure_{self.stem}")(given)

    def check_network(self, network: nn.Module, name: str, dataset: Dataset) -> None:
        """Refuse an untrained network that the figure cannot measure: by ``check_network`` of its module ``measurement``.

        Args:
            name: of the network, for the error.
            dataset: the images on which it will be trained.

        Raises:
            InputError: it cannot, whatever the training will make of it.
        """
        module = import_module(f"{self.room}.measurement") if self.has("measurement") else None
        if hasattr(module, "check_network"):
            module.check_network(network, name, dataset)

    def collect(self, table: pd.DataFrame, summary: pd.DataFrame | None) -> Collected:
        """Return the figure's table and its summary, if there is one, from the rows that were measured on all trainings."""
        if not self.has("collection"):
            return Collected(table, summary)
        return getattr(import_module(f"{self.room}.collection"), f"collect_{self.stem}")(table)

    def describe(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return in a sentence or two what a run's tables show: by ``describe_<stem>`` of its module ``findings``.

        Empty where the room has none, or the tables hold nothing to say.
        """
        from .claim_measures import MissingError  # seconds to import, and planning a run says nothing

        if not self.has("findings"):
            return ""
        try:
            return getattr(import_module(f"{self.room}.findings"), f"describe_{self.stem}")(tables)
        except MissingError:
            return ""

    def claims(self) -> dict[str, Callable]:
        """Return what measures each claim that the figure shows, by the claim's name: see ``claim_measures``."""
        if not self.has("claims"):
            return {}
        functions = vars(import_module(f"{self.room}.claims")).values()
        return {function.claim: function for function in functions if hasattr(function, "claim")}


@dataclass(frozen=True)
class Given:
    """What a figure is measured from. Which parts are there, the figure's room says.

    Attributes:
        settings: block of the figure.
        probe: block ``probe``; of figures that take ``resampling``, its ``seed`` and ``resamples`` alone.
        stability: block ``stability``, of figures that measure D, G and R as it says.
        two_points: which pairs of pixels the images are drawn from, of figures about them.
        copy_of: which known data set the images are or are a copy of, if they are of one; see the block ``dataset``.
        device: where networks are evaluated.
        dataset: the images.
        checkpoints: folder of a training.
        tables: those of other figures, by name.
    """

    settings: Any = None
    probe: Probe | None = None
    stability: Any = None
    two_points: TwoPoints | None = None
    copy_of: str | None = None
    device: torch.device | str = "cpu"
    dataset: Dataset | None = None
    checkpoints: Path | str | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


class Measured(NamedTuple):
    """What was measured: rows of the figure's table and of its summary, and pictures by name."""

    table: list[dict] | pd.DataFrame
    summary: list[dict] | None = None
    pictures: dict[str, Tensor] | None = None


class Collected(NamedTuple):
    """The table of a figure, and its summary."""

    table: pd.DataFrame
    summary: pd.DataFrame | None = None
