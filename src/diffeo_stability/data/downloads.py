"""Data sets that torchvision downloads, checked by hash."""

import contextlib
import tempfile
import urllib.error
from pathlib import Path

import torch
from torch import Tensor

from ..core.errors import InputError, one_line
from .requests import DIGITS, Request, fields_of


def read(request: Request) -> dict:
    """Return the fields of a :class:`Dataset` that torchvision downloads, in a temporary folder that leaves nothing half-done.

    Raises:
        InputError: it cannot be downloaded, or a copy put there by hand is another file.
    """
    from torchvision import datasets

    source, by_hand, mirror = request.source, request.folder / "download", request.mirror
    original = getattr(datasets, source.torchvision_class)
    hashes = _archive_hashes(original)
    kind = original if mirror is None else type(original.__name__, (original,), _mirrored(original, mirror))
    by_hand.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=by_hand.parent) as root:
        _link_copies(by_hand, Path(root, source.archives), hashes)
        try:
            with contextlib.redirect_stdout(None):
                parts = {name: kind(root, download=True, **split) for name, split in _splits(kind).items()}
        except (RuntimeError, urllib.error.URLError, OSError) as error:
            raise InputError(
                f"{request.name} could not be downloaded ({one_line(error)}): try again, or put "
                f"{' and '.join(f'{name} (MD5 {md5})' for name, md5 in hashes.items())} into {by_hand} by hand"
            ) from None
        classes = tuple(getattr(parts["train"], "classes", DIGITS))
        return fields_of({name: _pixels_and_labels(part) for name, part in parts.items()}, classes)


def _archive_hashes(kind: type) -> dict[str, str]:
    """MD5 of each archive of a torchvision class, by file name."""
    if hasattr(kind, "resources"):
        return dict(kind.resources)
    if hasattr(kind, "split_list"):
        return {name: md5 for _, name, md5 in (kind.split_list[part] for part in ("train", "test"))}
    return {kind.filename: kind.tgz_md5}


def _splits(kind: type) -> dict[str, dict]:
    """What a torchvision class is called with for its training and for its test images."""
    if hasattr(kind, "split_list"):
        return {"train": {"split": "train"}, "test": {"split": "test"}}
    return {"train": {"train": True}, "test": {"train": False}}


def _link_copies(by_hand: Path, archives: Path, hashes: dict[str, str]) -> None:
    """Let torchvision find the copies of its archives that were put there by hand.

    Raises:
        InputError: one of them is another file.
    """
    from torchvision.datasets.utils import calculate_md5

    archives.mkdir(parents=True, exist_ok=True)
    for name, md5 in hashes.items():
        copy = by_hand / name
        if copy.exists():
            if calculate_md5(copy) != md5:
                raise InputError(f"{copy} is damaged or another file (its MD5 is not {md5}): replace or delete it")
            (archives / name).symlink_to(copy.resolve())


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
