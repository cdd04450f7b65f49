"""Figure ``scale_detection``: a task that asks for pooling and for nothing else, and what nets learn from it."""

from typing import Annotated, Any

from pydantic import Field

from ...data.settings import DatasetBlock
from ...networks.settings import RecipeChanges
from ...settings import Count, WithoutRepeats
from ..registry import PAPERS, Figure
from ..settings import FigureSettings, Networks


class ScaleDetection(FigureSettings):
    """Figure `scale_detection`: nets that learn whether two active pixels are close to each other."""

    networks: Networks = Field(description="keys of `networks`")
    dataset: DatasetBlock | None = Field(
        None, description="of source `two_points`; the run's own data set, which must be such a one, if not given"
    )
    train_sizes: Annotated[list[Count], Field(min_length=1), WithoutRepeats] = Field(
        description="numbers of training images; each is trained for the figure's `training.epochs`, or if that is not given "
        "for as many steps as the network's own `train_size`"
    )
    training: RecipeChanges = Field(
        RecipeChanges(), description="keys of `training` that differ for this figure, e.g. `loss: hinge`"
    )

    choose_trainings = FigureSettings.choose_trainings | {"dataset", "training"}

    def training_changes(self) -> list[dict[str, Any]]:
        changes = {**self.training.model_dump(exclude_none=True), "label_count": None}  # there are two classes
        own = {} if self.dataset is None else {"dataset": self.dataset.folder}
        return [{**own, **changes, "train_size": size} for size in self.train_sizes]

    def check_run(self, run: Any) -> None:
        images = self.dataset_of(run)
        if images.two_points is None:
            raise ValueError(
                f"scale_detection.dataset is missing: the run's own images ({images.source}) are no pairs of pixels; give one of "
                "source two_points"
            )
        left = images.two_points.train_images - images.validation_images
        if max(self.train_sizes) > left:
            raise ValueError(
                f"scale_detection.train_sizes: {max(self.train_sizes)} is more than {left}, the training images besides the "
                "validation images"
            )
        if run.probe.images > images.two_points.test_images:
            raise ValueError(
                f"scale_detection.dataset: {images.two_points.test_images} test images are fewer than probe.images "
                f"({run.probe.images})"
            )
        for name in self.networks:
            padding = self.training.crop_padding
            if (run.recipe(name).crop_padding if padding is None else padding) > 0:
                raise ValueError(
                    f"scale_detection.training.crop_padding (for {name}) is not 0: crops would cut active pixels off; set it to 0"
                )


FIGURE = Figure(
    __name__,
    ScaleDetection,
    PAPERS,
    4,
    takes=("probe", "two_points"),
    makes=("table", "summary"),
    on_gpu=True,
    usable=("convolutional", "convolutional network"),
)
