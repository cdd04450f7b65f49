"""What a run consists of: its trainings, the files they make, and where everything lies."""

import math
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..data.contents import MEMORY, PACKAGE, content_hash, located
from ..data.counting import most_images
from ..data.entries import check_kind
from ..data.files import check_access, is_there
from ..figures import FIGURES
from ..networks.catalogue import family_of, kinds_of
from ..networks.settings import Recipe
from .config import Run
from .looks import Look, looks_of

SUFFIXES = {"table": ".csv", "summary": "_summary.csv", "pictures": ".safetensors"}


# What a variant is called by where a figure asks for it; other differences go with the figure's own data set
NAMED: dict[str, Callable[[Any], str]] = {
    "dataset": str,
    "train_size": "{}-images".format,
    "width": "width{}".format,
    "trained_part": str,
    "noise": "noise{:g}".format,
}


@dataclass(frozen=True)
class Training:
    """One training of a network.

    Attributes:
        dataset: folder of the data set that it is trained on.
        width, recipe: the network's own, or what a figure asks for instead.
    """

    network: str
    variant: str
    seed: int
    dataset: str
    width: float
    recipe: Recipe

    def place(self, run: str) -> str:
        """Return the folder of the training and of all that is measured on it."""
        return f"results/{run}/networks/{self.network}/{self.variant}"


class Plan:
    """The trainings and files of a run.

    A variant is a name such as ``seed0``, ``seed0-400-images`` or ``seed0-width0.5-read_out`` that is looked up here and never
    taken apart.

    Raises:
        InputError: two figures ask for different trainings of one name.
    """

    def __init__(self, config: Run):
        self.config = config
        self.trainings = self._all_trainings()
        self._content_hash = cache(lambda source: content_hash(source, Path(self.dataset).parent / MEMORY))

    @property
    def dataset(self) -> str:
        """The file that holds the run's data set."""
        return self.dataset_file(self.config.dataset.folder)

    def dataset_file(self, folder: str) -> str:
        """Return the file that holds the data set of a folder."""
        return f"{self.config.data_dir}/{folder}/images.safetensors"

    def dataset_of(self, network: str, variant: str) -> str:
        """Return the file that holds the data set that a network is trained on."""
        return self.dataset_file(self.trainings[network, variant].dataset)

    def _all_trainings(self) -> dict[tuple[str, str], Training]:
        """All trainings of the run, by network and variant."""
        usual = [self._training(name, seed) for name in self.config.networks for seed in self._seeds_of(name)]
        special = [training for stem in self.stems for training in self.trainings_of(stem)]
        found: dict[tuple[str, str], Training] = {}
        for training in (*usual, *special):
            if found.setdefault((training.network, training.variant), training) != training:
                raise InputError(
                    f"two figures train {training.network} on {training.dataset} in different ways: give the two data sets "
                    "different names, or the figures the same training"
                )
        return found

    def trainings_of(self, stem: str) -> list[Training]:
        """Trainings that a figure's block asks for."""
        block = self.config.figures[stem]
        return [
            self._training(name, seed, changes)
            for name in getattr(block, "networks", self.config.networks)
            for changes in block.training_changes()
            for seed in self._seeds_of(name)
        ]

    def _seeds_of(self, network: str) -> list[int]:
        """Seeds of a network's trainings; what is trained already is there once."""
        return self.config.seeds if self.config.networks[network].weights is None else self.config.seeds[:1]

    def _training(self, network: str, seed: int, changes: Mapping[str, Any] | None = None) -> Training:
        """A training as the network's own settings have it, but for the changes; its variant names what differs."""
        recipe, changes = self.config.recipe(network), dict(changes or {})
        usual = {
            "dataset": self.config.dataset.folder,
            "width": self.config.networks[network].width,
            **recipe.model_dump(),
        }
        settings = {**usual, **changes}
        if "train_size" in changes and "epochs" not in changes:
            settings["epochs"] = epochs_of_equal_steps(usual, settings)
        names = [name(settings[key]) for key, name in NAMED.items() if settings[key] != usual[key]]
        dataset, width = settings.pop("dataset"), settings.pop("width")
        return Training(network, "-".join((f"seed{seed}", *names)), seed, dataset, width, Recipe(**settings))

    def dataset_settings(self, folder: str) -> dict[str, Any]:
        """Return all that decides the images of a data set, as plain values: the arguments of ``prepare_dataset``."""
        block = self.config.datasets[folder]
        as_they_are = ("source", "path", "image_size", "mirror", "test_only", "two_points")
        return block.model_dump(include=set(as_they_are), exclude_none=True) | {"normalisation": block.scale}

    def images(self, folder: str) -> list[str]:
        """Return the path of a data set's images, if they are the user's own."""
        path = self.config.datasets[folder].path
        return [] if path is None else [path]

    def weights(self, network: str) -> list[str]:
        """Return the file of a network's weights, if they are the user's own or lie in a package."""
        weights = self.config.networks[network].weights
        return [] if weights is None or weights.startswith("torchvision:") else [weights]

    def contents(self, sources: Sequence[str]) -> dict[str, str]:
        """Return the hash of what each file or folder of the user's own holds; what was made from another content is made anew.

        Raises:
            InputError: something cannot be read.
        """
        return {source: self._content_hash(source) for source in sources}

    def check_sources(self) -> None:
        """Check that all images and weights of the user's own are there, can be read and are as many as the run asks for.

        Raises:
            InputError: one line for each key that names what is not there, a file that cannot be read, or too few images.
        """
        named = [("dataset.path", source) for folder in self.config.datasets for source in self.images(folder)]
        named += [
            (f"networks.{name}.weights", source) for name in self.config.networks for source in self.weights(name)
        ]
        missing = [(key, source) for key, source in named if not is_there(located(source))]
        if missing:
            raise InputError("\n".join(f"{key}: {source} does not exist: {_remedy(source)}" for key, source in missing))
        self.contents([source for _, source in named])
        self._check_kinds()
        self._check_counts()

    def _check_kinds(self) -> None:
        """Check that what is there is of a kind that can be read, as far as it takes no reading of all of it."""
        for block in self.config.datasets.values():
            if block.source == "image_folder":
                check_kind(Path(block.path))
            elif block.source == "arrays" and not zipfile.is_zipfile(block.path):
                raise InputError(f"dataset.path: {block.path} is no .npz file: correct it, or replace the file")
        for name in self.config.networks:
            for source in self.weights(name):
                if located(source).is_dir():
                    raise InputError(f"networks.{name}.weights: {source} is a folder: name a file in it")

    def _check_counts(self) -> None:
        """Check that the run asks for no more images of the user's own than there are, before anything is trained."""
        counts = most_images(self.config.dataset) if self.config.dataset.path is not None else None
        if counts is not None:
            self.config.check_counts(counts)

    def training_settings(self, network: str, variant: str) -> dict[str, Any]:
        """Return all that decides a training, as plain values: the training is redone when one of them changes."""
        training, block = self.trainings[network, variant], self.config.networks[network]
        recipe, images = training.recipe, self.config.datasets[training.dataset]
        options = {"name": block.architecture, "width": training.width, "filter_size": block.filter_size}
        return {
            "network": {name: value for name, value in options.items() if value is not None},
            "recipe": recipe.model_dump(),
            "seed": training.seed,
            "checkpoints": self.config.checkpoints,
            "split": {
                "validation_images": images.validation_images,
                "seed": images.split_seed,
                "train_size": recipe.train_size,
                "label_count": recipe.label_count,
                "noise": recipe.noise,
            },
        }

    def described_trainings(self) -> list[dict[str, Any]]:
        """Return all trainings as the report lists them, as plain values.

        Each has network, variant, seed, data set, width, train size, trained part, noise and epochs; ``label``;
        ``architecture``; ``own_images``, whether they are not the run's; ``usual``, whether it is as the network's own settings
        have it; ``history``, its table of errors per epoch, nothing where weights come from elsewhere.
        """
        of_recipe = ("train_size", "trained_part", "noise", "epochs")
        return [
            {
                **{key: value for key, value in vars(training).items() if key != "recipe"},
                **{key: getattr(training.recipe, key) for key in of_recipe},
                "own_images": training.dataset != self.config.dataset.folder,
                "label": self.labels[training.network],
                "architecture": self.config.networks[training.network].architecture,
                "usual": training == self._training(training.network, training.seed),
                "history": f"{training.place(self.config.run)}/history.csv"
                if training.network in self.config.trained
                else None,
            }
            for training in self.trainings.values()
        ]

    def histories(self) -> list[str]:
        """Tables of errors per epoch of all that the run trains."""
        return [training["history"] for training in self.described_trainings() if training["history"]]

    @property
    def stems(self) -> list[str]:
        """Stems of the figures that the run asks for."""
        return list(self.config.figures)

    def read_by(self, stem: str) -> dict[str, str]:
        """What a figure is measured from, by name; of a training's files, patterns for all trainings."""
        figure = FIGURES[stem]
        images = self.config.figures[stem].dataset_of(self.config)
        places = {
            "dataset": self.dataset_file(images.folder),
            "checkpoints": "results/{run}/networks/{net}/{variant}/checkpoints",
        }
        if figure.measured == "run" and "checkpoints" in figure.reads:
            network = self.config.figures[stem].network
            first = self._training(network, self.config.seeds[0])
            places["checkpoints"] = f"{first.place(self.config.run)}/checkpoints"
        tables = {name: f"results/{{run}}/tables/{name}.csv" for name in figure.tables}
        return {name: places[name] for name in figure.reads} | tables

    def made_by(self, stem: str) -> dict[str, str]:
        """What a figure is measured into, by kind, as patterns."""
        figure = FIGURES[stem]
        if figure.measured == "training":
            return {
                kind: f"results/{{run}}/networks/{{net}}/{{variant}}/{stem}{SUFFIXES[kind]}" for kind in figure.makes
            }
        folders = {"pictures": "pictures"}
        return {kind: f"results/{{run}}/{folders.get(kind, 'tables')}/{stem}{SUFFIXES[kind]}" for kind in figure.makes}

    def measured(self, stem: str, kind: str = "table") -> list[str]:
        """Files that hold what was measured on each training of a figure."""
        return [
            f"{training.place(self.config.run)}/{FIGURES[stem].collects or stem}{SUFFIXES[kind]}"
            for training in self.trainings_of(stem)
        ]

    def collected_from(self, stem: str) -> dict[str, list[str]]:
        """What a figure's table and its summary are collected from, by kind."""
        kinds = ("table", "summary") if "summary" in FIGURES[stem].makes else ("table",)
        return {kind: self.measured(stem, kind) for kind in kinds}

    def drawn_from(self, stem: str) -> dict[str, str | list[str]]:
        """What a figure's notebook reads, by name, as patterns."""
        figure = FIGURES[stem]
        files: dict[str, str | list[str]] = {"table": f"results/{{run}}/tables/{stem}.csv"}
        if figure.has_summary:
            files["summary"] = f"results/{{run}}/tables/{stem}_summary.csv"
        if figure.has_pictures:
            of_run = f"results/{{run}}/pictures/{stem}.safetensors"
            files["pictures"] = of_run if figure.measured == "run" else self.measured(stem, "pictures")
        return files | {name: f"results/{{run}}/tables/{name}.csv" for name in figure.draws}

    @cached_property
    def looks(self) -> dict[str, Look]:
        """How the run's networks appear, by name."""
        return looks_of(self.config.model_dump()["networks"])

    @property
    def labels(self) -> dict[str, str]:
        """What the run's networks are called, by name."""
        return {name: look.label for name, look in self.looks.items()}

    def looks_in(self, stem: str) -> dict[str, dict[str, str]]:
        """How the networks that a figure shows appear, as plain values: it is drawn again when one of them changes."""
        figure, block = FIGURES[stem], self.config.figures[stem]
        if not figure.tables and "checkpoints" not in figure.reads:
            return {}
        shown = [block.network] if hasattr(block, "network") else getattr(block, "networks", self.config.networks)
        return {name: self.looks[name]._asdict() for name in shown}

    @cached_property
    def kinds(self) -> dict[str, list[str]]:
        """To which family and kinds each network belongs, as plain values: claims and captions count nets by these."""
        architectures = {name: network.architecture for name, network in self.config.networks.items()}
        families = {name: getattr(family_of(architecture), "name", "") for name, architecture in architectures.items()}
        return {name: [families[name], *sorted(kinds_of(architecture))] for name, architecture in architectures.items()}

    def kinds_in(self, stem: str) -> dict[str, list[str]]:
        """The same of the networks that a figure is measured on."""
        return {name: self.kinds[name] for name in self.config.figures[stem].networks}

    def images_in(self, stem: str) -> str:
        """What stands below a figure: the images that it was made from, if there are any."""
        figure, images = FIGURES[stem], self.config.figures[stem].dataset_of(self.config)
        return images.title if figure.reads or figure.tables else ""

    def settings_of(self, stem: str) -> dict[str, Any]:
        """Settings that decide a figure's numbers, as plain values: it is measured again when one of them changes."""
        own = {"settings": self.config.figures[stem].measured_with()}
        taken = {
            "probe": lambda: self.config.probe.model_dump(),
            "resampling": lambda: self.config.probe.model_dump(include={"seed", "resamples"}),
            "stability": lambda: self.config.figures["stability"].measured_with(),
            "copy_of": self._known_images,
            "two_points": lambda: self.config.figures[stem].dataset_of(self.config).two_points.model_dump(),
        }
        return own | {name: taken[name]() for name in FIGURES[stem].takes}

    def drawn_with(self, stem: str) -> dict[str, Any]:
        """Settings that decide what a figure shows of its numbers: it is drawn again when one of them changes."""
        return self.config.figures[stem].drawn_with()

    def _known_images(self) -> str | None:
        """Which data set the images are, if it is a known one and networks tell all of its classes apart."""
        some = any(self.config.recipe(name).label_count is not None for name in self.config.networks)
        return None if some else self.config.dataset.copy_of

    def tables(self, stem: str) -> list[str]:
        """Table of a figure, and its summary if it has one."""
        kinds = ("table", "summary") if FIGURES[stem].has_summary else ("table",)
        return [f"results/{self.config.run}/tables/{stem}{SUFFIXES[kind]}" for kind in kinds]

    def every_table(self) -> list[str]:
        """Tables and summaries of all figures of the run."""
        return [table for stem in self.stems for table in self.tables(stem)]

    def claims(self) -> str:
        """Table of the decks' claims and their verdicts."""
        return f"results/{self.config.run}/tables/claims.csv"

    def captions(self) -> list[str]:
        """Captions of every figure of the run, filled in."""
        return [f"results/{self.config.run}/captions/{stem}.rst" for stem in self.stems]

    def figures(self) -> list[str]:
        """PDF and PNG of every figure of the run."""
        return [f"figures/{self.config.run}/{stem}.{kind}" for stem in self.stems for kind in ("pdf", "png")]

    def notebooks(self) -> list[str]:
        """Executed copies of every analysis of the run, as HTML."""
        return [f"results/{self.config.run}/notebooks/{stem}.html" for stem in self.stems]

    def made(self) -> list[str]:
        """Return all files and folders that the run asks for: data, trainings, measurements and what shows them."""
        checkpoints = [f"{training.place(self.config.run)}/checkpoints" for training in self.trainings.values()]
        measured = [
            path
            for stem in self.stems
            if FIGURES[stem].measured != "run"
            for kind in FIGURES[stem].makes
            for path in self.measured(stem, kind)
        ]
        datasets = map(self.dataset_file, self.config.datasets)
        return list(dict.fromkeys([*datasets, *checkpoints, *self.histories(), *measured, *self.shown()]))

    def page(self) -> str:
        """Return the run's report."""
        return f"results/{self.config.run}/report.html"

    def crate(self) -> str:
        """Return the run's RO-Crate."""
        return f"results/{self.config.run}/rocrate.zip"

    def shown(self) -> list[str]:
        """Return all files that show something of the run: figures, tables, pictures, captions and notebooks."""
        pictures = [
            self.made_by(stem)["pictures"].format(run=self.config.run)
            for stem in self.stems
            if FIGURES[stem].measured == "run" and FIGURES[stem].has_pictures
        ]
        return [
            *self.figures(),
            *self.every_table(),
            self.claims(),
            *pictures,
            *self.captions(),
            *self.notebooks(),
        ]

    def check_access(self) -> None:
        """Check that the run may read its data, if they are there, and write all that it makes.

        Raises:
            InputError: a folder cannot be read or written.
        """
        for dataset in (Path(self.dataset_file(folder)) for folder in self.config.datasets):
            check_access(dataset.parents[1], write=False)
            check_access(dataset.parent, write=False)
            for folder in () if dataset.exists() else (dataset.parents[1], dataset.parent):
                check_access(folder, write=True)
        for part in ("results", "figures", "logs"):
            for folder, _, _ in os.walk(Path(part, self.config.run)):
                check_access(folder, write=True)


def epochs_of_equal_steps(usual: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """Return the number of epochs in which a training on another number of images takes as many steps, rounded up.

    Else what figures show against the number of images would be how long networks were trained.

    Args:
        usual, other: ``train_size`` and ``batch_size`` of the usual training, with its ``epochs``, and of the other one.
    """
    steps, own = (math.ceil(recipe["train_size"] / recipe["batch_size"]) for recipe in (usual, other))
    return math.ceil(usual["epochs"] * steps / own)


def _remedy(source: str) -> str:
    if source.startswith("~") or "$" in source:
        return "write the path out, as neither ~ nor a variable is expanded"
    return f"correct it, or {'install the package' if source.startswith(PACKAGE) else 'put there what it names'}"
