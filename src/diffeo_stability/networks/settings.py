"""The blocks ``training`` and ``networks`` of a configuration."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, create_model, field_validator, model_validator

from ..settings import Block, Count, NotNegative, Positive
from .catalogue import COLORS, LIBRARIES, networks
from .own import NAME as OWN_ARCHITECTURE
from .own import is_own, mistake_in

TrainedPart = Literal["all", "read_out"]
ARCHITECTURES = tuple(networks())
LIBRARY_ARCHITECTURE = rf"^({'|'.join(LIBRARIES)}):[A-Za-z0-9_.]+$"
COLOR = rf"^({'|'.join(COLORS)}|#[0-9A-Fa-f]{{6}})$"
ENDINGS = ("safetensors", "pt", "pth", "ckpt", "bin", "pth.tar")
# A schema knows no flags
IN_ANY_CASE = ["".join(f"[{a}{a.upper()}]" if a.isalpha() else rf"\{a}" for a in ending) for ending in ENDINGS]
WEIGHTS = rf"^(torchvision:\w+|.+\.({'|'.join(IN_ANY_CASE)}))$"


class Recipe(Block):
    """How a network is trained."""

    epochs: Annotated[int, Field(ge=0)] = Field(
        description="passes over the training images; a figure that trains on another number of images than `train_size` has it "
        "such that the number of steps stays the same"
    )
    batch_size: Count = Field(128, description="images per step")
    optimizer: Literal["sgd", "adam", "adamw"] = Field("sgd", description="how gradients become steps")
    learning_rate: Positive = Field(description="largest learning rate")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="momentum, or Adam's beta 1")
    nesterov: bool = Field(False, description="whether the momentum of sgd is Nesterov's; not so in the papers")
    weight_decay: NotNegative = Field(5e-4, description="weight decay")
    loss: Literal["cross_entropy", "hinge"] = Field(
        "cross_entropy", description="hinge asks that the right logit exceeds every other one by 1"
    )
    schedule: Literal["constant", "cosine", "linear"] = Field("cosine", description="how the learning rate falls to 0")
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="share of the steps in which the learning rate first rises from 0"
    )
    crop_padding: Annotated[int, Field(ge=0)] = Field(
        0, description="augmentation: random crops of the image with a margin of this many black pixels"
    )
    horizontal_flip: bool = Field(False, description="augmentation: mirror half of the images; refused for digits")
    noise: NotNegative = Field(
        0.0,
        description="root mean square norm of Gaussian noise that is added to every normalised image, anew in every epoch, in "
        "training and where errors are measured",
    )
    label_count: Annotated[int, Field(ge=2)] | None = Field(
        None, description="train and test on the first so many classes; on all if not given"
    )
    train_size: Count | None = Field(
        None,
        description="training images; all but the validation images if not given; must be given if a figure trains on other "
        "numbers of images for as many steps",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="bfloat16 is autocast; `auto` takes it where the processor or GPU computes in it by itself, else float32, "
        "which is then up to 1.8 times as fast",
    )
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
        description="a network of the package, `timm:<name>`, `torchvision:<name>`, or your own as `<package.module>:<function>`",
        json_schema_extra={
            "anyOf": [{"enum": list(ARCHITECTURES)}, {"pattern": LIBRARY_ARCHITECTURE}, {"pattern": OWN_ARCHITECTURE}]
        },
    )
    weights: str | None = Field(
        None,
        description="of a network that is trained already: a .safetensors file, a .pt, .pth, .ckpt, .bin or .pth.tar file of "
        "torch.save, such a file as `package:<package>/<file>`, or `torchvision:<name>`; the network is trained if not given",
        json_schema_extra={"pattern": WEIGHTS},
    )
    init: Literal["drawn", "none"] = Field(
        "drawn",
        description="of a network with `weights`, whose own init is not known: `drawn` anew for comparison, or `none` at all",
    )
    width: Positive = Field(1.0, description="multiplies the number of channels or hidden units")
    filter_size: Count | None = Field(
        None, description="pixels along a side of the first filters, for VGG and one_hidden_layer networks"
    )
    training: RecipeChanges = Field(RecipeChanges(), description="keys of `training` that differ for this network")
    label: Annotated[str, Field(max_length=80)] | None = Field(
        None,
        description="what figures and captions call the network; the package's label of it, or its name, if not given",
    )
    color: str | None = Field(
        None,
        description=f"its colour in figures: {', '.join(COLORS)}, or `'#rrggbb'` in quotes; its family's, or one of its own, if "
        "not given",
        json_schema_extra={"pattern": COLOR},
    )

    @model_validator(mode="after")
    def _trained_networks_have_an_init(self):
        if self.init == "none" and self.weights is None:
            raise ValueError(
                "init is none, but the network is trained here, from its init: give it weights, or take init out"
            )
        return self

    @field_validator("label")
    @classmethod
    def _is_one_line(cls, label: str | None) -> str | None:
        if label is not None and (
            not label or not label.isprintable() or label != label.strip() or label.startswith("_")
        ):
            raise ValueError(
                f"{label!r} is no label: allowed is printable text on one line, without a space at its ends or a _ in front"
            )
        return label

    @field_validator("training", mode="before")
    @classmethod
    def _an_empty_block_changes_nothing(cls, training: Any) -> Any:
        return {} if training is None else training

    @field_validator("weights")
    @classmethod
    def _are_of_a_known_kind(cls, weights: str | None) -> str | None:
        if weights is not None and not re.fullmatch(WEIGHTS, weights):
            raise ValueError(
                f"{weights!r} are no weights; allowed are a file that ends in .{', .'.join(ENDINGS)}, and torchvision:<name>"
            )
        return weights

    @field_validator("color")
    @classmethod
    def _is_a_color(cls, color: str | None) -> str | None:
        if color is not None and not re.fullmatch(COLOR, color):
            raise ValueError(f"{color!r} is no colour; allowed are {', '.join(COLORS)} or '#rrggbb'")
        return color

    @field_validator("architecture")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if is_own(name):
            if mistake := mistake_in(name):
                raise ValueError(mistake)
        elif name not in ARCHITECTURES and not re.fullmatch(LIBRARY_ARCHITECTURE, name):
            allowed = f"{', '.join(ARCHITECTURES)}, timm:<name>, torchvision:<name> or <package.module>:<function>"
            raise ValueError(f"{name!r} is no network; allowed are {allowed}")
        return name
