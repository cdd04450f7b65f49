"""Images, labels and fixed splits, as tensors in memory."""

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.seeds import generator_for

TENSORS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Dataset:
    """Images with labels, in a training and a test split.

    Attributes:
        train_images, test_images: uint8 ``(N, C, n, n)``, values 0 to 255. Without training images, ``mean`` and ``std`` must
            be given.
        train_labels, test_labels: int64 ``(N,)``, values 0 to ``len(classes) - 1``.
        classes: what the labels mean.
        mean, std: by which images are normalised, per channel, ``(C,)``, pixels scaled to 0..1; those of the training images if
            not given.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    mean: Tensor | None = None
    std: Tensor | None = None

    def __post_init__(self):
        _check_dataset(self)
        if self.mean is None or self.std is None:
            mean, std = channel_statistics(self.train_images)
            object.__setattr__(self, "mean", mean)
            object.__setattr__(self, "std", std)

    @cached_property
    def sha256(self) -> str:
        """Hash of all pixels and labels."""
        digest = hashlib.sha256()
        for name in TENSORS:
            tensor = getattr(self, name).contiguous()
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.numpy())
        return digest.hexdigest()

    @property
    def channels(self) -> int:
        return self.test_images.shape[1]

    @property
    def image_size(self) -> int:
        return self.test_images.shape[-1]


@dataclass(frozen=True)
class Split:
    """Part of a data set: uint8 images ``(N, C, n, n)`` and int64 labels ``(N,)``."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: Tensor) -> "Split":
        return Split(self.images[index], self.labels[index])

    def to(self, device: torch.device | str) -> "Split":
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Splits:
    """Training, validation and test split, and how a network gets their images.

    Attributes:
        mean, std: of the data set per channel, ``(C,)``.
        noise: root mean square norm of the Gaussian noise that is added to every normalised image.
    """

    train: Split
    validation: Split
    test: Split
    mean: Tensor
    std: Tensor
    noise: float = 0.0

    def normalise(self, images: Tensor) -> Tensor:
        """Return uint8 images as float32 ones; see :func:`normalise`."""
        return normalise(images, self.mean, self.std)

    def shown(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return uint8 images as a network gets them: normalised (see :func:`normalise`), with noise if there is some.

        Args:
            generator: of the noise.
        """
        return add_noise(self.normalise(images), self.noise, generator)

    def to(self, device: torch.device | str) -> "Splits":
        """Return the splits on a device."""
        tensors = ("train", "validation", "test", "mean", "std")
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Turn uint8 images ``(N, C, n, n)`` into float32 ones of mean 0 and standard deviation 1 per channel.

    Args:
        mean, std: of the data set's pixels scaled to 0..1, ``(C,)``.
    """
    scale, shift = (1 / (255 * std)).to(images.device), (-mean / std).to(images.device)
    return torch.addcmul(shift[:, None, None], images.float(), scale[:, None, None])


def add_noise(images: Tensor, norm: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise whose root mean square norm over an image is ``norm`` to images ``(N, C, n, n)``.

    Its standard deviation in a pixel is ``norm / sqrt(C n^2)``, as where noise is added to the training images of
    arXiv:2210.01506. The images themselves are returned where there is none.
    """
    if norm == 0:
        return images
    noise = torch.randn(images.shape, generator=generator).to(images)
    return torch.add(images, noise, alpha=norm / math.sqrt(images[0].numel()))


def split_dataset(
    dataset: Dataset,
    *,
    validation_images: int,
    seed: int,
    train_size: int | None = None,
    label_count: int | None = None,
    noise: float = 0.0,
) -> Splits:
    """Split a data set: the same validation and test images for every ``train_size``, smaller training sets in larger ones.

    Args:
        validation_images: how many of the training images are held out; 0 without training images, or to train on all.
        seed: of the hold-out and of the order in which training images are taken.
        train_size: training images taken; all that are left if not given.
        label_count: keep only images of the first ``label_count`` classes.
        noise: root mean square norm of noise that networks get added to all normalised images; see :func:`add_noise`.

    Raises:
        InputError: more images or classes asked for than there are.
    """
    train = Split(dataset.train_images, dataset.train_labels)
    test = Split(dataset.test_images, dataset.test_labels)
    if label_count is not None:
        if not 2 <= label_count <= len(dataset.classes):
            raise InputError(f"label_count is {label_count}: it must be from 2 to {len(dataset.classes)}")
        train, test = (part.take(torch.nonzero(part.labels < label_count)[:, 0]) for part in (train, test))
    available = len(train) - validation_images
    if available < 1 and (len(train) or validation_images):
        raise InputError(
            f"validation_images is {validation_images}: the data set has only {len(train)} training images"
        )
    order = torch.randperm(len(train), generator=generator_for("split", seed))
    if train_size is not None and train_size > available:
        raise InputError(f"train_size is {train_size}: there are {available} images besides the validation images")
    kept = order[validation_images:][:train_size]
    return Splits(train.take(kept), train.take(order[:validation_images]), test, dataset.mean, dataset.std, noise)


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation per channel, ``(C,)`` each, of uint8 images scaled to 0..1.

    A constant channel gets a standard deviation of one grey level, so that it can be divided by.
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.zeros(images.shape[1], 256, dtype=torch.float64)
    for batch in images.split(1000):
        for channel, count in enumerate(counts):
            count += torch.bincount(batch[:, channel].flatten(), minlength=256)
    share = counts / counts.sum(1, keepdim=True)
    mean = share @ levels
    std = (share * (levels - mean[:, None]) ** 2).sum(1).sqrt()
    return mean.float(), std.float().clamp_min(1 / 255)


def _check_dataset(dataset: Dataset) -> None:
    if len(dataset.train_images) == 0 and dataset.mean is None:
        raise InputError("the train split has no images: add some, or for networks that are trained give normalisation")
    _check_part("train", dataset.train_images, dataset.train_labels, len(dataset.classes))
    _check_part("test", dataset.test_images, dataset.test_labels, len(dataset.classes))
    if dataset.train_images.shape[1:] != dataset.test_images.shape[1:]:
        raise InputError(
            f"training images have shape {tuple(dataset.train_images.shape[1:])}, test images "
            f"{tuple(dataset.test_images.shape[1:])}: they must match"
        )
    for name in ("mean", "std"):
        values = getattr(dataset, name)
        if values is not None and values.shape != (dataset.test_images.shape[1],):
            channels = dataset.test_images.shape[1]
            raise InputError(f"normalisation.{name} has {values.numel()} numbers: the images have {channels} channels")


def _check_part(part: str, images: Tensor, labels: Tensor, classes: int) -> None:
    if len(images) != len(labels):
        raise InputError(f"the {part} split has {len(images)} images but {len(labels)} labels: they must match")
    if len(images) == 0 and part == "test":
        raise InputError("the test split has no images")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise InputError(
            f"the {part} labels run from {int(labels.min())} to {int(labels.max())}: "
            f"they must lie between 0 and {classes - 1}"
        )
    if images.shape[2] != images.shape[3]:
        raise InputError(f"the {part} images have {images.shape[2]} x {images.shape[3]} pixels: they must be square")
