"""The configuration of a run: every key with its type, range and default, checked before any job starts.

Each part of the package declares its own block; here they are put together.
"""

import difflib
import re
import reprlib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, create_model, field_validator, model_validator

from ..core.errors import InputError, one_line
from ..data.settings import Counts, DatasetBlock
from ..data.sources import SOURCES
from ..figures import FIGURES
from ..figures.registry import Figure
from ..figures.settings import FigureSettings, Neurons, Probe
from ..networks.catalogue import kinds_of
from ..networks.settings import ARCHITECTURES, NetworkBlock, Recipe
from ..settings import Block, Name, Positive, Seed, Text, WithoutRepeats
from .config_files import read_yaml
from .looks import labels_of

_LEFT = "the training images besides dataset.validation_images"


class Run(Block):
    """What a run has besides its figures."""

    run: Name = Field(description="name of the run, and of its folders below results/ and figures/")
    data_dir: Annotated[Text, Field(pattern=r"^[^~$\s{}<>][^$\s{}<>]*$")] = Field(
        "data",
        description="folder of the data sets, without spaces, `{}`, `<>` and `$`; neither `~` nor a variable is expanded",
    )
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = Field(
        "auto", description="`auto` takes a GPU where there is one; else `cpu`, `cuda` or `cuda:<index>`"
    )
    seeds: Annotated[list[Seed], Field(min_length=1), WithoutRepeats] = Field(
        description="one training of every network per seed"
    )
    dataset: DatasetBlock
    training: Recipe | None = Field(None, description="recipe of every network; needed if one is trained")
    drawing_limit: Positive = Field(
        1800.0, description="seconds after which a figure's notebook that is still running is stopped"
    )
    checkpoints: Annotated[int, Field(ge=2, le=1000)] = Field(
        6, description="checkpoints per training: at init, at the end, and between them at log-spaced epochs"
    )
    networks: Annotated[dict[Name, NetworkBlock], Field(min_length=1)] = Field(description="networks by name")
    probe: Probe = Field(Probe(), description="images on which everything is measured")

    @model_validator(mode="before")
    @classmethod
    def _an_empty_block_is_all_defaults(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        return {key: {} if block is None and key in (*FIGURES, "probe") else block for key, block in raw.items()}

    @field_validator("run")
    @classmethod
    def _is_no_folder_of_the_project(cls, name: str) -> str:
        if name == "reference":
            raise ValueError("'reference' is the folder of the committed figures; allowed is any other name")
        return name

    @field_validator("networks")
    @classmethod
    def _folders_tell_networks_apart(cls, networks: dict[str, NetworkBlock]) -> dict[str, NetworkBlock]:
        _check_told_apart("", networks)
        return networks

    @model_validator(mode="after")
    def _labels_tell_networks_apart(self):
        names: dict[str, str] = {}
        for name, label in labels_of({name: block.model_dump() for name, block in self.networks.items()}).items():
            if label in names:
                raise ValueError(
                    f"networks.{name}: {names[label]} is called {label!r} too: give one of them another label"
                )
            names[label] = name
        return self

    @model_validator(mode="after")
    def _what_is_trained_can_be(self):
        trained = self.trained
        if trained and self.training is None:
            raise ValueError(f"training is missing: {trained[0]} has no weights and must be trained")
        if trained and self.dataset.test_only:
            raise ValueError(f"networks.{trained[0]}: there are no training images (dataset.test_only): give weights")
        for name in (name for name in self.networks if name not in trained):
            self._check_not_trained(name)
        for stem, block in self.figures.items():
            for name in getattr(block, "networks", []) if block.training_changes() != [{}] else []:
                if name not in trained and name in self.networks:
                    raise ValueError(f"{stem}.networks: {name} has weights, but this figure trains its networks itself")
        return self

    def _check_not_trained(self, name: str) -> None:
        """Settings of a training say nothing of a network that has weights, and must not seem to."""
        if self.networks[name].training.model_dump(exclude_none=True):
            raise ValueError(f"networks.{name}.training: {name} has weights and is not trained: leave it out")
        for key in ("noise", "label_count") if self.training is not None else ():
            if getattr(self.training, key):
                raise ValueError(
                    f"training.{key}: {name} has weights, and would be tested on other images than those that are trained: give "
                    f"these networks.<name>.training.{key}, or leave one of the two out"
                )

    @model_validator(mode="after")
    def _images_are_normalised_as_in_training(self):
        imported = next((name for name in self.networks if name not in self.trained), None)
        if imported is not None and self.dataset.normalisation is None:
            raise ValueError(
                f"dataset.normalisation is missing: {imported} has weights, and its images must be normalised as in training: "
                "give mean and std, timm:<name> or torchvision:<name>, or images for the training images' own"
            )
        return self

    @model_validator(mode="after")
    def _sizes_fit_the_images(self):
        """What is known before images are read; the size of one's own is looked at again then."""
        if self.dataset.known_size is not None:
            self.check_image_size(self.dataset.known_size)
        return self

    def check_image_size(self, size: int) -> None:
        """Check that figures fit images of so many pixels along a side.

        Beyond a cutoff of 2 n / pi no field is both visible and a diffeomorphism, and patches lie in the image.

        Raises:
            ValueError: one does not; names the key.
        """
        for block in self.figures.values():
            block.check_size(size)

    @model_validator(mode="after")
    def _there_are_enough_images(self):
        """What the names of known data sets tell; images of one's own are counted when the run is planned."""
        if self.dataset.known_counts is not None:
            self.check_counts(self.dataset.known_counts)
        return self

    def check_counts(self, known: Counts) -> None:
        """Check that the run asks for no more images and classes than its data set has.

        Args:
            known: how many it has, or has at most.

        Raises:
            InputError: it does; names the key.
        """
        held_out = self.dataset.validation_images
        left = known.train_images - held_out
        if not self.dataset.test_only and left < 1:
            raise InputError(f"dataset.validation_images: {held_out} leaves none of {known.train_images:,} to train on")
        if self.probe.images > known.test_images:
            raise InputError(f"probe.images: {self.probe.images} is more than the {known.test_images:,} test images")
        for stem, block in self.figures.items():
            if isinstance(block, Neurons) and block.images > known.test_images:
                raise InputError(f"{stem}.images: {block.images} is more than the {known.test_images:,} test images")
        for name in self.trained:
            recipe, own = self.recipe(name), self.networks[name].training
            key = "training.train_size" if own.train_size is None else f"networks.{name}.training.train_size"
            if (recipe.train_size or 0) > left:
                raise InputError(f"{key}: {recipe.train_size} is more than {left:,}, {_LEFT}")
            key = "training.label_count" if own.label_count is None else f"networks.{name}.training.label_count"
            if known.classes is not None and (recipe.label_count or 0) > known.classes:
                raise InputError(f"{key}: {recipe.label_count} is more than the {known.classes} classes")
        for stem, block in self.figures.items():
            if block.dataset_of(self) != self.dataset:
                continue  # its own block knows
            sizes = [changes["train_size"] for changes in block.training_changes() if "train_size" in changes]
            if max(sizes, default=0) > left:
                raise InputError(f"{stem}.train_sizes: {max(sizes)} is more than {left:,}, {_LEFT}")

    @model_validator(mode="after")
    def _there_is_a_figure(self):
        if not self.figures:
            raise ValueError(f"there is no figure to make: give the block of one, of {', '.join(FIGURES)}")
        return self

    @model_validator(mode="after")
    def _figures_have_their_inputs(self):
        for stem in self.figures:
            missing = next((needed for needed in FIGURES[stem].needs if needed not in self.figures), None)
            if missing is not None:
                raise ValueError(f"{stem}: needs the block {missing}, on which it builds")
        for stem, block in self.figures.items():
            for name in getattr(block, "networks", []):
                if name not in self.networks:
                    known = ", ".join(self.networks)
                    raise ValueError(f"{stem}.networks: {name!r} is no network of this run; it has {known}")
            block.check_run(self)
        return self

    @model_validator(mode="after")
    def _data_sets_have_folders_of_their_own(self):
        folders = [self.dataset.folder]
        for stem, block in self.figures.items():
            images = block.dataset_of(self)
            folders.append(images.folder)
            _check_told_apart(f"{stem}.dataset: ", folders)
            if self.datasets[images.folder] != images or (
                images != self.dataset and images.folder == self.dataset.folder
            ):
                raise ValueError(f"{stem}.dataset: another data set is called {images.folder}: give this one a name")
        return self

    @model_validator(mode="after")
    def _steps_of_other_train_sizes_are_known(self):
        """Figures that train on other numbers of images than a network's own do so for as many steps."""
        for stem, block in self.figures.items():
            if not any("train_size" in changes and "epochs" not in changes for changes in block.training_changes()):
                continue
            for name in block.networks:
                if self.recipe(name).train_size is None:
                    raise ValueError(
                        f"training.train_size is missing (for {name}): {stem} trains on other numbers of images for as many "
                        "steps, and must know the usual one"
                    )
        return self

    @model_validator(mode="after")
    def _figures_can_use_their_networks(self):
        """What the names of this package's networks tell; those of other libraries are looked at when they are measured."""
        for stem, block in self.figures.items():
            if FIGURES[stem].usable is None:
                continue
            kind, in_words = FIGURES[stem].usable
            for name in getattr(block, "networks", []):
                architecture = self.networks[name].architecture
                if architecture in ARCHITECTURES and kind not in kinds_of(architecture):
                    raise ValueError(
                        f"{stem}.networks: {name!r} ({architecture}) is no {in_words}, which this figure needs"
                    )
        return self

    @model_validator(mode="after")
    def _flips_keep_the_meaning(self):
        known = self.dataset.copy_of
        for name in self.networks:
            if known and SOURCES[known].digits and self.recipe(name).horizontal_flip:
                raise ValueError(
                    f"training.horizontal_flip: true (for {name}) is not allowed for {known}, "
                    "whose digits mean something else when mirrored; allowed is false"
                )
        return self

    @property
    def datasets(self) -> dict[str, DatasetBlock]:
        """The run's data set and those of figures that have one of their own, by folder."""
        own = (block.dataset_of(self) for block in self.figures.values())
        return {block.folder: block for block in (self.dataset, *own)}

    @property
    def figures(self) -> dict[str, FigureSettings]:
        """The blocks of the figures that the run asks for, by stem."""
        blocks = ((stem, getattr(self, stem)) for stem in FIGURES)
        return {stem: block for stem, block in blocks if block is not None}

    @property
    def trained(self) -> list[str]:
        """Networks that the run trains: those without weights."""
        return [name for name, block in self.networks.items() if block.weights is None]

    def recipe(self, network: str) -> Recipe:
        """Return the recipe of a network: ``training`` with the network's own changes; no steps if it has weights."""
        if self.networks[network].weights is not None:
            return Recipe(epochs=0, learning_rate=1.0)
        changes = self.networks[network].training.model_dump(exclude_none=True)
        return self.training.model_copy(update=changes)


def _described(figure: Figure) -> str:
    """What the reference says of a figure's block."""
    built_on = "".join(f", built on the block `{needed}`" for needed in figure.needs)
    return f"figure{built_on}; left out if not given"


RunConfig = create_model(
    "RunConfig",
    __base__=Run,
    __doc__="A run: one file of `config/`.",
    **{stem: (figure.settings | None, Field(None, description=_described(figure))) for stem, figure in FIGURES.items()},
)


def _check_told_apart(key: str, folders: Iterable[str]) -> None:
    """Refuse names of folders that lie beside each other and that many disks take for the same.

    Args:
        key: that names them, as an error begins with it.
    """
    names: dict[str, str] = {}
    for name in folders:
        other = names.setdefault(name.casefold(), name)
        if other != name:
            raise ValueError(
                f"{key}{other} and {name} differ in capitals alone, which many disks do not tell apart: rename one"
            )


def parse_config(raw: dict[str, Any]) -> RunConfig:
    """Check a configuration.

    Raises:
        InputError: one line for each key that is wrong, with what is allowed.
    """
    try:
        return RunConfig.model_validate(raw)
    except ValidationError as error:
        # What is not given is not there yet where what is given is wrong
        problems = [problem for problem in error.errors() if problem["type"] != "default_factory_not_called"]
        raise InputError("\n".join(_explain(problem) for problem in problems)) from None


def _explain(problem: dict) -> str:
    key = ".".join(str(step) if str(step).isprintable() else repr(step) for step in problem["loc"])
    given = problem["input"]
    if problem["type"] == "extra_forbidden":
        allowed = _keys_beside(problem["loc"])
        near = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"config: {key} is no key{hint}; allowed are {', '.join(allowed)}"
    if problem["type"] == "missing":
        return f"config: {key} is missing"
    if problem["type"] == "value_error":
        text = one_line(problem["ctx"]["error"])
        return f"config: {key}: {text}" if key else f"config: {text}"
    if problem["type"] == "model_type":
        return f"config: {key} is {_shortened(given)}: it should be a block of keys"
    hint = ""
    if isinstance(given, str) and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", given):
        hint = " (YAML reads this as text: write 5.0e-4 for 5e-4)"
    elif problem["type"] == "string_type" and isinstance(given, int | float | date):
        hint = " (YAML reads this as something else: write it in quotes)"
    return f"config: {key} is {_shortened(given)}: {problem['msg'][0].lower()}{problem['msg'][1:]}{hint}"


def _shortened(value: Any) -> str:
    """A value as Python writes it; of what is long its ends, of what is nested deeply the outside."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 120
    short.maxlevel = 3
    try:
        return short.repr(value)
    except ValueError:  # Python's own limit
        return "a number of thousands of digits"


def _keys_beside(location: tuple) -> list[str]:
    """Allowed keys of the block in which a wrong key stands."""
    schema = RunConfig.model_json_schema()
    node = schema
    for step in location[:-1]:
        by_pattern = next(iter(node.get("patternProperties", {}).values()), {})
        node = node.get("properties", {}).get(step, by_pattern)
        for choice in [node, *node.get("anyOf", []), *node.get("allOf", [])]:
            if "$ref" in choice:
                node = schema["$defs"][choice["$ref"].rsplit("/", 1)[1]]
    return list(node.get("properties", {}))


def load_config(*paths: str | Path) -> RunConfig:
    """Read and check a configuration: one file, or several, of which later ones have the last word on a key.

    Raises:
        InputError: a file is missing, no YAML, or a key is wrong.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        raw = read_yaml(path)
        if not isinstance(raw, dict):
            raise InputError(f"config {path} holds no keys")
        merged = _merged(merged, raw)
    return parse_config(merged)


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of two configurations, blocks put together as Snakemake does."""
    both = {key: _merged(first[key], second[key]) for key in first if _are_blocks(first[key], second.get(key))}
    return {**first, **second, **both}


def _are_blocks(*values: Any) -> bool:
    return all(isinstance(value, Mapping) for value in values)
