"""The configuration of a run: every key with its type, range and default, checked before any job starts.

The model is the one source: ``workflow/schemas/config.schema.yaml`` is exported from it (``python -m diffeo_stability.config``).
"""

import difflib
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from .errors import InputError, one_line

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Cutoff = Annotated[int, Field(ge=2)]
Resamples = Annotated[int, Field(ge=100)]  # fewer give no 95% interval


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"{value} is even: it must be odd, so that a patch has a pixel in the middle")
    return value


def _without_repeats(values: list) -> list:
    repeated = next((value for value in values if values.count(value) > 1), None)
    if repeated is not None:
        raise ValueError(f"{repeated!r} stands in the list more than once")
    return values


WithoutRepeats = AfterValidator(_without_repeats)
PatchSize = Annotated[int, Field(ge=1), AfterValidator(_odd)]
TrainedPart = Literal["all", "read_out"]
Networks = Annotated[list[Name], Field(min_length=1), WithoutRepeats]
Source = Literal["mnist5k", "mnist", "fashion_mnist", "cifar10", "svhn", "image_folder", "arrays"]
ARCHITECTURES = (
    *(f"fully_connected_{layers}" for layers in (2, 4, 6)),
    *("lenet", "alexnet"),
    *(f"vgg{layers}{norm}" for norm in ("", "_bn") for layers in (11, 13, 16, 19)),
    *(f"resnet{layers}" for layers in (18, 34, 50)),
    *("efficientnet_b0", "one_hidden_layer_cnn", "one_hidden_layer_lcn"),
)
CONVOLUTIONAL = ("lenet", "alexnet", "vgg", "resnet", "efficientnet", "one_hidden_layer_cnn")
SEQUENCES_OF_CONVOLUTIONS = ("lenet", "alexnet", "vgg", "one_hidden_layer_cnn")
LIBRARIES = ("timm", "torchvision")
LIBRARY_ARCHITECTURE = rf"^({'|'.join(LIBRARIES)}):[A-Za-z0-9_.]+$"
OWN_ARCHITECTURE = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
WEIGHTS = r"^(torchvision:\w+|.+\.(safetensors|pt|pth))$"
DIGIT_SOURCES = ("mnist5k", "mnist", "svhn")
TITLES = {
    "mnist5k": "MNIST, 5,000 digits",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "svhn": "SVHN",
}
KNOWN_IMAGE_SIZES = {"mnist5k": 28, "mnist": 28, "fashion_mnist": 28, "cifar10": 32, "svhn": 32}


class Block(BaseModel):
    """A closed block of keys: an unknown key is an error, and so is a number written as text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Normalisation(Block):
    """How pixels, scaled to 0..1, are normalised: `(pixel - mean) / std`."""

    mean: Annotated[list[float], Field(min_length=1)] = Field(description="one number a channel")
    std: Annotated[list[Positive], Field(min_length=1)] = Field(description="one number a channel")


class DatasetBlock(Block):
    """The images."""

    source: Source = Field(description="where the images come from")
    name: Name | None = Field(None, description="folder below `data_dir`; the source's name if not given")
    title: Annotated[str, Field(pattern=r"^[^\s*][^*\n]*$", max_length=80)] = Field(
        default_factory=lambda block: TITLES.get(block.get("source"), block.get("name") or ""),
        description="what every figure and the report call the images; the data set's or the folder's name if not given",
    )
    path: str | None = Field(None, description="folder, archive or .npz file, for `image_folder` and `arrays`")
    image_size: Annotated[int, Field(ge=2)] | None = Field(
        None, description="pixels a side to which `image_folder` scales and crops; as they are if not given"
    )
    mirror: str | None = Field(None, description="address of a folder to download from, instead of the usual one")
    test_only: bool = Field(
        False,
        description="`image_folder` is a tree `<class>/*`, `arrays` has `x_test`, `y_test` alone: for networks with `weights`",
    )
    normalisation: Normalisation | None = Field(None, description="the training images' own statistics if not given")
    validation_images: Annotated[int, Field(ge=0)] = Field(
        description="training images held out for the validation error in `history.csv`; 0 to train on all"
    )
    split_seed: Seed = Field(0, description="seed of the hold-out and of smaller training sets")

    @property
    def folder(self) -> str:
        return self.name or self.source

    @property
    def scale(self) -> tuple[list[float], list[float]] | None:
        """Mean and standard deviation per channel, if they are given."""
        return self.normalisation and (self.normalisation.mean, self.normalisation.std)

    @model_validator(mode="after")
    def _path_goes_with_source(self):
        own = self.source in ("image_folder", "arrays")
        if own and self.path is None:
            raise ValueError(f"path is missing: source {self.source} needs the path of the images")
        if own and self.name is None:
            raise ValueError(f"name is missing: source {self.source} needs a name for its folder below data_dir")
        if not own and self.path is not None:
            raise ValueError(f"path is given, but source {self.source} takes none")
        if self.image_size is not None and self.source != "image_folder":
            raise ValueError(f"image_size is given, but source {self.source} has a size of its own")
        if self.test_only and not own:
            raise ValueError(f"test_only is true, but source {self.source} has training images")
        if self.test_only and self.normalisation is None:
            raise ValueError("normalisation is missing: without training images it must be given")
        return self


class Recipe(Block):
    """How a network is trained."""

    epochs: Annotated[int, Field(ge=0)] = Field(description="passes over the training images")
    batch_size: Count = Field(128, description="images a step")
    optimizer: Literal["sgd", "adam", "adamw"] = Field("sgd", description="sgd has Nesterov momentum")
    learning_rate: Positive = Field(description="largest learning rate")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="momentum, or Adam's beta 1")
    weight_decay: NotNegative = Field(5e-4, description="weight decay")
    schedule: Literal["constant", "cosine", "linear"] = Field("cosine", description="how the learning rate falls to 0")
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="share of the steps in which the learning rate first rises from 0"
    )
    crop_padding: Annotated[int, Field(ge=0)] = Field(
        0, description="augmentation: random crops of the image with a margin of this many black pixels"
    )
    horizontal_flip: bool = Field(False, description="augmentation: mirror half of the images; refused for digits")
    label_count: Annotated[int, Field(ge=2)] | None = Field(
        None, description="train and test on the first so many classes; on all if not given"
    )
    train_size: Count | None = Field(None, description="training images; all but the validation images if not given")
    precision: Literal["float32", "bfloat16"] = Field("bfloat16", description="bfloat16 is autocast")
    channels_last: bool = Field(True, description="memory layout, faster for convolutions")
    trained_part: TrainedPart = Field(
        "all", description="`read_out`: the last linear map alone, all else stays as drawn"
    )


RecipeChanges = create_model(
    "RecipeChanges",
    __base__=Block,
    __doc__="What one network's training has different from `training`.",
    **{
        name: (field.rebuild_annotation() | None, Field(None, description=field.description))
        for name, field in Recipe.model_fields.items()
    },
)


class NetworkBlock(Block):
    """A network and what is special about its training."""

    architecture: str = Field(
        description="a network of the package, timm:<name>, torchvision:<name>, or your own as <package.module>:<function>",
        json_schema_extra={
            "anyOf": [{"enum": list(ARCHITECTURES)}, {"pattern": LIBRARY_ARCHITECTURE}, {"pattern": OWN_ARCHITECTURE}]
        },
    )
    weights: Annotated[str, Field(pattern=WEIGHTS)] | None = Field(
        None,
        description="of a network that is trained already: a .safetensors or .pt file, such a file as "
        "package:<package>/<file>, or torchvision:<name>; the network is trained if not given",
    )
    width: Positive = Field(1.0, description="multiplies the number of channels or hidden units")
    filter_size: Count | None = Field(
        None, description="first filters' pixels a side, for VGG and one_hidden_layer networks"
    )
    training: RecipeChanges = Field(RecipeChanges(), description="keys of `training` that differ for this network")

    @field_validator("architecture")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if (
            name not in ARCHITECTURES
            and not re.match(LIBRARY_ARCHITECTURE, name)
            and not re.match(OWN_ARCHITECTURE, name)
        ):
            allowed = f"{', '.join(ARCHITECTURES)}, timm:<name>, torchvision:<name> or <package.module>:<function>"
            raise ValueError(f"{name!r} is no network; allowed are {allowed}")
        return name


class Probe(Block):
    """The images on which everything is measured, drawn from the test split and the same for every network."""

    images: Annotated[int, Field(ge=2)] = Field(500, description="number of probe images")
    seed: Seed = Field(0, description="of the probe images, their deformations and their noise")
    batch_size: Count = Field(250, description="images a forward pass; bounds memory only")
    resamples: Resamples = Field(1000, description="of the bootstrap over images")


class Deformations(Block):
    """Figure `deformations`: the ensemble over cutoff and temperature."""

    cutoffs: Annotated[list[Cutoff], Field(min_length=1), WithoutRepeats] = Field(
        description="high-frequency cutoffs c, one column each"
    )
    temperatures: Annotated[list[Positive], Field(min_length=1), WithoutRepeats] = Field(
        description="temperatures T, one row each"
    )
    fields: Annotated[int, Field(ge=2)] = Field(1000, description="fields over which the displacement is measured")
    image: Annotated[int, Field(ge=0)] = Field(0, description="which test image is drawn")


class Stability(Block):
    """Figure `stability`: D, G and R of every network."""

    displacement: Positive = Field(1.0, description="typical displacement delta, pixels")
    cutoff: Cutoff = Field(3, description="high-frequency cutoff c")
    interpolation: Literal["bilinear", "nearest", "gaussian"] = Field("bilinear", description="of deformed images")
    noise_norm: Literal["mean", "per_image"] = Field(
        "mean", description="noise of one norm for all images, or of each image's own |tau x - x|"
    )


class StabilityVsError(Block):
    """Figure `stability_vs_error`: test error against R, D and G."""

    state: Literal["init", "trained"] = Field("trained", description="state whose stability is set against the error")
    resamples: Resamples = Field(1000, description="of the bootstrap over networks")


class StabilityVsTrainSize(Block):
    """Figure `stability_vs_train_size`: R and test error against the number of training images."""

    networks: Networks = Field(description="keys of `networks`")
    train_sizes: Annotated[list[Count], Field(min_length=2), WithoutRepeats] = Field(
        description="numbers of training images"
    )


class Norms(Block):
    """Logarithmically spaced norms r of perturbations, in the units of normalised images."""

    networks: Networks = Field(description="keys of `networks`")
    smallest_norm: Positive = Field(description="smallest norm r of a perturbation, of normalised images")
    largest_norm: Positive = Field(description="largest norm r")
    norms: Annotated[int, Field(ge=4)] = Field(description="how many norms, log-spaced")

    @model_validator(mode="after")
    def _norms_ascend(self):
        if self.largest_norm <= self.smallest_norm:
            raise ValueError(
                f"largest_norm is {self.largest_norm}: it must exceed smallest_norm ({self.smallest_norm})"
            )
        return self


class NoiseCurves(Norms):
    """Figure `noise_curves`: D and G against the norm r of the perturbation."""

    cutoff: Cutoff = Field(3, description="high-frequency cutoff c of the deformations")
    interpolation: Literal["bilinear", "nearest", "gaussian"] = Field("bilinear", description="of deformed images")
    tolerance: Positive = Field(0.2, description="relative rise of G / r^2 that still counts as linear, and as no bump")


class NoiseBumpImages(Block):
    """Figure `noise_bump_images`: images with noise below, at and above the bump of `noise_curves`."""

    network: Name = Field(description="one of `noise_curves.networks`")
    images: Count = Field(4, description="number of images")
    factors: Annotated[list[Positive], Field(min_length=1), WithoutRepeats] = Field(
        [0.25, 1.0, 4.0], description="norms of the noise in units of the bump's r*"
    )


class InterpolationCurves(Norms):
    """Figure `interpolation_curves`: towards another image, beside isotropic noise of the same norm."""


class ActivationSpectra(Block):
    """Figure `activation_spectra`: power spectra after every operation."""

    networks: Networks = Field(description="keys of `networks`")


class FirstLayerFilters(Block):
    """Figure `first_layer_filters`: first-layer filters, their spectra and Gabor fits."""

    networks: Networks = Field(description="keys of `networks`, with filters of at least 5 pixels")
    train_sizes: Annotated[list[Count], Field(min_length=1), WithoutRepeats] = Field(
        description="numbers of training images"
    )


class LaplacianSpectra(Block):
    """Figure `laplacian_spectra`: Laplacian components of filters over training time."""

    networks: Networks = Field(description="keys of `networks`")


class OperationStability(Block):
    """Figure `operation_stability`: D, G and R after every operation, measured as the block `stability` says."""

    networks: Networks = Field(description="keys of `networks`")


class RotationCoupling(Block):
    """Figure `rotation_coupling`: second-layer coupling of first-layer filters that are rotated copies."""

    networks: Networks = Field(description="keys of `networks` whose first two layers are convolutions")
    angle_step: Annotated[float, Field(gt=0, le=90)] = Field(
        15.0, description="degrees between the interpolated rotations"
    )
    permutations: Resamples = Field(1000, description="of the null, in which channels are shuffled")


class ChannelShuffling(Block):
    """Figure `channel_shuffling`: nets with permuted input channels of every convolution, measured as `stability` says."""

    networks: Networks = Field(description="keys of `networks`")
    permutations: Annotated[int, Field(ge=2)] = Field(5, description="how many random permutations of each trained net")
    batch_norm: Literal["re-estimated", "kept"] = Field(
        "re-estimated", description="statistics of shuffled nets' batch-norm in the figure; the table has both"
    )


class HiddenLayerPooling(Block):
    """Figure `hidden_layer_pooling`: networks of one hidden layer, trained as a whole and their read-out alone."""

    networks: Networks = Field(description="keys of `networks`, one_hidden_layer networks")
    widths: Annotated[list[Positive], Field(min_length=1), WithoutRepeats] = Field(
        description="multiply the number of hidden channels, in place of each network's own width"
    )


class FieldDecomposition(Block):
    """Figure `field_decomposition`: local translation, rotation, compression and pure shear in the ensemble's fields."""

    cutoffs: Annotated[list[Cutoff], Field(min_length=1), WithoutRepeats] = Field(
        description="high-frequency cutoffs c; the first one's field is drawn"
    )
    temperatures: Annotated[list[Positive], Field(min_length=1), WithoutRepeats] = Field(
        description="temperatures T; the first one's field is drawn"
    )
    patch_sizes: Annotated[list[PatchSize], Field(min_length=1), WithoutRepeats] = Field(
        description="odd pixels a side of the patches; 1 for the derivative at a pixel"
    )
    fields: Annotated[int, Field(ge=2)] = Field(1000, description="fields over which the parts are measured")


class Neurons(Block):
    """Images whose patches single neurons see, and what is done to them."""

    networks: Networks = Field(description="keys of `networks` that are plain sequences of operations, e.g. VGGs")
    images: Annotated[int, Field(ge=2)] = Field(100, description="test images, one patch of each for every neuron")
    size: Positive = Field(
        1.0, description="size of the transformations: displacement in pixels, or as `neuron_stability.norm` says"
    )
    places: Count | None = Field(
        None, description="places in a layer, drawn by seed, whose neurons are measured; all if not given"
    )
    responding: Annotated[float, Field(ge=0, le=1)] = Field(
        0.05, description="neurons that respond to a smaller share of patches are left out and counted"
    )


class NeuronStability(Neurons):
    """Figure `neuron_stability`: how much neurons move with transformations of what is in their receptive field."""

    norm: Literal["displacement", "operator"] = Field(
        "displacement",
        description="`size` is the root-mean-square displacement over the receptive field, or the Frobenius norm of U",
    )
    strongest: Count = Field(10, description="patches of strongest response that are averaged over")

    @model_validator(mode="after")
    def _there_are_as_many_patches(self):
        if self.strongest > self.images:
            raise ValueError(f"strongest is {self.strongest}: there are only {self.images} patches, one an image")
        return self


class ReceptiveFields(Neurons):
    """Figure `receptive_fields`: receptive fields, and rotations about a centre away from theirs."""

    distances: Annotated[list[NotNegative], Field(min_length=2), WithoutRepeats] = Field(
        description="pixels between a rotation's centre and the receptive field's"
    )


class RunConfig(Block):
    """A run: one file of `config/`."""

    run: Name = Field(description="name of the run, and of its folders below results/ and figures/")
    data_dir: str = Field("data", description="folder of the data sets")
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = Field(
        "auto", description="`auto` takes a GPU where there is one; else cpu, cuda or cuda:<index>"
    )
    seeds: Annotated[list[Seed], Field(min_length=1), WithoutRepeats] = Field(
        description="one training of every network each"
    )
    dataset: DatasetBlock
    training: Recipe | None = Field(None, description="recipe of every network; needed if one is trained")
    checkpoints: Annotated[int, Field(ge=2)] = Field(
        6, description="checkpoints a training: at init, at the end, and between them at log-spaced epochs"
    )
    networks: Annotated[dict[Name, NetworkBlock], Field(min_length=1)] = Field(description="networks by name")
    probe: Probe = Field(Probe(), description="images on which everything is measured")
    deformations: Deformations | None = Field(None, description="figure; left out if not given")
    stability: Stability | None = Field(None, description="figure; left out if not given")
    stability_vs_error: StabilityVsError | None = Field(None, description="figure; left out if not given")
    stability_vs_train_size: StabilityVsTrainSize | None = Field(None, description="figure; left out if not given")
    noise_curves: NoiseCurves | None = Field(None, description="figure; left out if not given")
    noise_bump_images: NoiseBumpImages | None = Field(None, description="figure; left out if not given")
    interpolation_curves: InterpolationCurves | None = Field(None, description="figure; left out if not given")
    activation_spectra: ActivationSpectra | None = Field(None, description="figure; left out if not given")
    first_layer_filters: FirstLayerFilters | None = Field(None, description="figure; left out if not given")
    laplacian_spectra: LaplacianSpectra | None = Field(None, description="figure; left out if not given")
    operation_stability: OperationStability | None = Field(None, description="figure; left out if not given")
    rotation_coupling: RotationCoupling | None = Field(None, description="figure; left out if not given")
    channel_shuffling: ChannelShuffling | None = Field(None, description="figure; left out if not given")
    hidden_layer_pooling: HiddenLayerPooling | None = Field(None, description="figure; left out if not given")
    field_decomposition: FieldDecomposition | None = Field(None, description="figure; left out if not given")
    neuron_stability: NeuronStability | None = Field(None, description="figure; left out if not given")
    receptive_fields: ReceptiveFields | None = Field(None, description="figure; left out if not given")

    @field_validator("run")
    @classmethod
    def _is_no_folder_of_the_project(cls, name: str) -> str:
        if name == "reference":
            raise ValueError("'reference' is the folder of the committed figures; allowed is any other name")
        return name

    @model_validator(mode="after")
    def _what_is_trained_can_be(self):
        trained = self.trained
        if trained and self.training is None:
            raise ValueError(f"training is missing: {trained[0]} has no weights and must be trained")
        if trained and self.dataset.test_only:
            raise ValueError(f"networks.{trained[0]}: there are no training images (dataset.test_only): give weights")
        for stem in FIGURES:
            block = getattr(self, stem)
            if not (hasattr(block, "train_sizes") or hasattr(block, "widths")):
                continue
            for name in block.networks:
                if name not in trained and name in self.networks:
                    raise ValueError(f"{stem}.networks: {name} has weights, but this figure trains its networks itself")
        return self

    @model_validator(mode="after")
    def _sizes_fit_the_images(self):
        """Beyond a cutoff of 2 n / pi no field is both visible and a diffeomorphism, and patches lie in the image."""
        size = KNOWN_IMAGE_SIZES.get(self.dataset.source, self.dataset.image_size)
        if size is None:
            return self
        blocks = {"stability.cutoff": self.stability and [self.stability.cutoff]}
        blocks["noise_curves.cutoff"] = self.noise_curves and [self.noise_curves.cutoff]
        for stem in ("deformations", "field_decomposition"):
            blocks[f"{stem}.cutoffs"] = getattr(self, stem) and getattr(self, stem).cutoffs
        for patch_size in self.field_decomposition.patch_sizes if self.field_decomposition else ():
            if patch_size > size:
                raise ValueError(
                    f"field_decomposition.patch_sizes: {patch_size} does not fit into images of {size} x {size} pixels; "
                    f"allowed are odd numbers up to {size}"
                )
        for key, cutoffs in blocks.items():
            for cutoff in cutoffs or []:
                if cutoff > 2 * size / math.pi:
                    raise ValueError(
                        f"{key}: {cutoff} leaves an empty temperature range for {size} x {size} pixels; "
                        f"allowed are 2 to {int(2 * size / math.pi)}"
                    )
        return self

    @model_validator(mode="after")
    def _there_is_a_figure(self):
        if not any(getattr(self, stem) for stem in FIGURES):
            raise ValueError(f"there is no figure to make: give the block of one, of {', '.join(FIGURES)}")
        return self

    @model_validator(mode="after")
    def _figures_have_their_inputs(self):
        for stem, reads in (
            ("stability_vs_error", "stability"),
            ("stability_vs_train_size", "stability"),
            ("operation_stability", "stability"),
            ("channel_shuffling", "stability"),
            ("hidden_layer_pooling", "stability"),
            ("noise_bump_images", "noise_curves"),
        ):
            if getattr(self, stem) and not getattr(self, reads):
                raise ValueError(f"{stem}: needs the block {reads}, on which it builds")
        for stem in FIGURES:
            for name in getattr(getattr(self, stem), "networks", []):
                if name not in self.networks:
                    known = ", ".join(self.networks)
                    raise ValueError(f"{stem}.networks: {name!r} is no network of this run; it has {known}")
        bumps = self.noise_bump_images
        if bumps and bumps.network not in self.noise_curves.networks:
            allowed = ", ".join(self.noise_curves.networks)
            raise ValueError(
                f"noise_bump_images.network: {bumps.network!r} has no noise curve; noise_curves.networks has {allowed}"
            )
        return self

    @model_validator(mode="after")
    def _figures_can_use_their_networks(self):
        """What the names of this package's networks tell; those of other libraries are looked at when they are measured."""
        for stem, usable, kind in (
            ("channel_shuffling", CONVOLUTIONAL, "convolutional network"),
            ("hidden_layer_pooling", ("one_hidden_layer_",), "network of one hidden layer"),
            ("neuron_stability", SEQUENCES_OF_CONVOLUTIONS, "plain sequence of convolutions"),
            ("receptive_fields", SEQUENCES_OF_CONVOLUTIONS, "plain sequence of convolutions"),
        ):
            for name in getattr(getattr(self, stem), "networks", []):
                architecture = self.networks[name].architecture
                if architecture in ARCHITECTURES and not architecture.startswith(usable):
                    raise ValueError(
                        f"{stem}.networks: {name!r} ({architecture}) is no {kind}, which this figure needs"
                    )
        return self

    @model_validator(mode="after")
    def _flips_keep_the_meaning(self):
        for name in self.networks:
            if self.dataset.source in DIGIT_SOURCES and self.recipe(name).horizontal_flip:
                raise ValueError(
                    f"training.horizontal_flip: true (for {name}) is not allowed for {self.dataset.source}, "
                    "whose digits mean something else when mirrored; allowed is false"
                )
        return self

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


DECKS = {
    "October deck": (
        "deformations",
        "stability",
        "stability_vs_error",
        "stability_vs_train_size",
        "noise_curves",
        "noise_bump_images",
        "interpolation_curves",
        "activation_spectra",
        "first_layer_filters",
        "laplacian_spectra",
        "operation_stability",
        "rotation_coupling",
    ),
    "November and December decks": (
        "channel_shuffling",
        "hidden_layer_pooling",
        "field_decomposition",
        "neuron_stability",
        "receptive_fields",
    ),
}
FIGURES = tuple(stem for stems in DECKS.values() for stem in stems)


def parse_config(raw: dict[str, Any]) -> RunConfig:
    """Check a configuration.

    Raises:
        InputError: one line for each key that is wrong, with what is allowed.
    """
    try:
        return RunConfig.model_validate(raw)
    except ValidationError as error:
        raise InputError("\n".join(_explain(problem, raw) for problem in error.errors())) from None


def _explain(problem: dict, raw: dict) -> str:
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
        text = str(problem["ctx"]["error"])
        return f"config: {key}: {text}" if key else f"config: {text}"
    hint = ""
    if isinstance(given, str) and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", given):
        hint = " (YAML reads this as text: write 5.0e-4 for 5e-4)"
    return f"config: {key} is {given!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}{hint}"


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


def load_config(path: str | Path) -> RunConfig:
    """Read and check a configuration file.

    Raises:
        InputError: the file is missing, no YAML, or a key is wrong.
    """
    try:
        raw = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"config {path} cannot be read: {one_line(error)}") from None
    if not isinstance(raw, dict):
        raise InputError(f"config {path} holds no keys")
    return parse_config(raw)


def schema_yaml() -> str:
    """Return the configuration's JSON schema as YAML, as it stands in ``workflow/schemas/config.schema.yaml``."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **RunConfig.model_json_schema()}
    return "# Exported: python -m diffeo_stability.config\n" + yaml.safe_dump(schema, sort_keys=False, width=120)


if __name__ == "__main__":
    print(schema_yaml(), end="")
