"""What a run consists of: its trainings, the files they make, and where everything lies."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from .config import FIGURES, LIBRARIES, RunConfig, TrainedPart
from .files import check_access
from .modules import source_of

# Figures whose table has a second one beside it, of what follows from it
SUMMARISED = (
    "noise_curves",
    "activation_spectra",
    "first_layer_filters",
    "rotation_coupling",
    "channel_shuffling",
    "hidden_layer_pooling",
    "neuron_stability",
    "receptive_fields",
)


@dataclass(frozen=True)
class Training:
    """One training of a network: its seed, and what a figure may ask to be different from the network's own settings."""

    network: str
    variant: str
    seed: int
    train_size: int | None
    width: float
    trained_part: TrainedPart


class Plan:
    """The trainings and files of a run.

    A variant is a name such as ``seed0``, ``seed0-400-images`` or ``seed0-width0.5-read_out`` that is looked up here and never
    taken apart.
    """

    def __init__(self, config: RunConfig):
        self.config = config

    @property
    def dataset(self) -> str:
        """The file that holds the data set."""
        return f"{self.config.data_dir}/{self.config.dataset.folder}/images.safetensors"

    @cached_property
    def trainings(self) -> dict[tuple[str, str], Training]:
        """All trainings of the run, by network and variant."""
        usual = [self._training(name, seed) for name in self.config.networks for seed in self._seeds_of(name)]
        special = [training for stem in self.stems for training in self._trainings_of(getattr(self.config, stem))]
        return {(training.network, training.variant): training for training in (*usual, *special)}

    def _trainings_of(self, block) -> list[Training]:
        """Trainings that a figure's block asks for, with its numbers of training images, widths and trained parts."""
        return [
            self._training(name, seed, size, width, part)
            for name in getattr(block, "networks", self.config.networks)
            for size in getattr(block, "train_sizes", [None])
            for width in getattr(block, "widths", [None])
            for part in (get_args(TrainedPart) if hasattr(block, "widths") else [None])
            for seed in self._seeds_of(name)
        ]

    def _seeds_of(self, network: str) -> list[int]:
        """Seeds of a network's trainings; what is trained already is there once."""
        return self.config.seeds if self.config.networks[network].weights is None else self.config.seeds[:1]

    def own_source(self, network: str) -> list[str]:
        """The source file of a network of the user's own, so that editing it trains the network again."""
        module, _, function = self.config.networks[network].architecture.partition(":")
        source = source_of(module) if function and module not in LIBRARIES else None
        return [] if source is None else [str(source)]

    def weights_file(self, network: str) -> list[str]:
        """The file of a network's weights, if they are a file of the user's own."""
        weights = self.config.networks[network].weights
        return [] if weights is None or weights.startswith(("package:", "torchvision:")) else [weights]

    def _training(
        self,
        network: str,
        seed: int,
        train_size: int | None = None,
        width: float | None = None,
        trained_part: TrainedPart | None = None,
    ) -> Training:
        """A training as the network's own settings have it, but for what is given; its variant names what differs."""
        usual = self.config.recipe(network)
        variant, settings = f"seed{seed}", {}
        for key, value, own, named in (
            ("train_size", train_size, usual.train_size, f"{train_size}-images"),
            ("width", width, self.config.networks[network].width, f"width{width}"),
            ("trained_part", trained_part, usual.trained_part, trained_part),
        ):
            settings[key] = own if value is None else value
            if settings[key] != own:
                variant += f"-{named}"
        return Training(network, variant, seed, **settings)

    def training_settings(self, network: str, variant: str) -> dict[str, Any]:
        """Return all that decides a training, as plain values: the training is redone when one of them changes."""
        training, block = self.trainings[network, variant], self.config.networks[network]
        changes = {"train_size": training.train_size, "trained_part": training.trained_part}
        recipe = self.config.recipe(network).model_copy(update=changes)
        options = {"name": block.architecture, "width": training.width, "filter_size": block.filter_size}
        return {
            "network": {name: value for name, value in options.items() if value is not None},
            "recipe": recipe.model_dump(),
            "seed": training.seed,
            "checkpoints": self.config.checkpoints,
            "split": {
                "validation_images": self.config.dataset.validation_images,
                "seed": self.config.dataset.split_seed,
                "train_size": training.train_size,
                "label_count": recipe.label_count,
            },
        }

    def measured(self, stem: str, suffix: str = ".csv", *, table: str | None = None) -> list[str]:
        """Files that hold what was measured on each training of a figure.

        Args:
            stem: the figure.
            suffix: which of its files.
            table: the figure that measures them, if it is another one.
        """
        return [
            f"results/{self.config.run}/networks/{training.network}/{training.variant}/{table or stem}{suffix}"
            for training in self._trainings_of(getattr(self.config, stem))
        ]

    def bump_checkpoints(self) -> str:
        """Checkpoints of the network, its first seed, whose images with noise are drawn."""
        training = self._training(self.config.noise_bump_images.network, self.config.seeds[0])
        return f"results/{self.config.run}/networks/{training.network}/{training.variant}/checkpoints"

    @property
    def stems(self) -> list[str]:
        """Stems of the figures that the run asks for."""
        return [stem for stem in FIGURES if getattr(self.config, stem) is not None]

    def tables(self, stem: str) -> list[str]:
        """Table of a figure, and its summary if it has one."""
        suffixes = ("", "_summary") if stem in SUMMARISED else ("",)
        return [f"results/{self.config.run}/tables/{stem}{suffix}.csv" for suffix in suffixes]

    def every_table(self) -> list[str]:
        """Tables and summaries of all figures of the run."""
        return [table for stem in self.stems for table in self.tables(stem)]

    def claims(self) -> str:
        """Table of the decks' claims and their verdicts."""
        return f"results/{self.config.run}/tables/claims.csv"

    def figures(self) -> list[str]:
        """PDF and PNG of every figure of the run."""
        return [f"figures/{self.config.run}/{stem}.{kind}" for stem in self.stems for kind in ("pdf", "png")]

    def notebooks(self) -> list[str]:
        """Executed copies of every analysis of the run, as HTML."""
        return [f"results/{self.config.run}/notebooks/{stem}.html" for stem in self.stems]

    def check_access(self) -> None:
        """Check that the run may read its data, if they are there, and write all that it makes.

        Raises:
            InputError: a folder cannot be read or written.
        """
        dataset = Path(self.dataset)
        check_access(dataset.parents[1], write=False)
        check_access(dataset.parent, write=False)
        for folder in () if dataset.exists() else (dataset.parents[1], dataset.parent):
            check_access(folder, write=True)
        for part in ("results", "figures", "logs"):
            for folder, _, _ in os.walk(Path(part, self.config.run)):
                check_access(folder, write=True)

    def settings(self, stem: str, network: str | None = None) -> dict[str, Any]:
        """Return a figure's block of the configuration, as plain values; of its networks only one, if that is given.

        With one network, adding another one to the block measures that one alone.
        """
        block = getattr(self.config, stem).model_dump()
        return block if network is None else {**block, "networks": [network]}
