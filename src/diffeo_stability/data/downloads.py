"""Data sets that torchvision knows: their archives, from the web or put there by hand, checked by hash, and what is in them."""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..core.errors import InputError, one_line
from .fetching import FetchError, fetch
from .files import as_input_error
from .requests import DIGITS, Request, fields_of

# Bytes that the largest archive of a class has, rounded up
MOST = {"MNIST": 2**24, "FashionMNIST": 2**25, "CIFAR10": 2**28, "SVHN": 2**28}


class Archive(NamedTuple):
    """A file that a data set comes in.

    Attributes:
        name: of the file.
        md5: its MD5.
        addresses: where it can be had, the best one first.
    """

    name: str
    md5: str
    addresses: Sequence[str]


def read(request: Request) -> dict:
    """Return the fields of a :class:`Dataset` that torchvision reads, from archives in a folder that is gone at the end.

    Raises:
        InputError: an archive cannot be had, or a copy put there by hand is another file.
    """
    from torchvision import datasets

    kind = getattr(datasets, request.source.torchvision_class)
    archives = _archives(kind, request.mirror)
    by_hand = request.folder / "download"
    with _working_folder(by_hand) as root:
        try:
            _gather(archives, by_hand, root / request.source.archives, MOST[request.source.torchvision_class])
            with contextlib.redirect_stdout(None):
                # Nothing is left to be downloaded: it checks and unpacks what is there
                parts = {name: kind(root, download=True, **split) for name, split in _splits(kind).items()}
        except (FetchError, RuntimeError) as error:
            raise InputError(
                f"{request.name} could not be downloaded ({one_line(error)}): try again, or put "
                f"{' and '.join(f'{archive.name} (MD5 {archive.md5})' for archive in archives)} into {by_hand} by hand"
            ) from None
        classes = tuple(getattr(parts["train"], "classes", DIGITS))
        return fields_of({name: _pixels_and_labels(part) for name, part in parts.items()}, classes)


@contextlib.contextmanager
def _working_folder(by_hand: Path) -> Iterator[Path]:
    """An empty folder beside the one for copies put there by hand, which is made too; what a kill left of it is removed.

    Raises:
        InputError: it cannot be written, for a reason that the user can mend.
    """
    folder = by_hand.with_name(f"{by_hand.name}.partial")
    try:
        by_hand.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        yield folder
    except OSError as error:
        raise as_input_error(error, folder) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _gather(archives: Sequence[Archive], by_hand: Path, folder: Path, most: int) -> None:
    """Bring all archives into a folder: copies of those that were put there by hand, and the others from the web.

    Raises:
        FetchError: one cannot be had.
        InputError: a copy put there by hand is another file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        copy = by_hand / archive.name
        if copy.is_file():
            if _md5_of(copy) != archive.md5:
                raise InputError(
                    f"{copy} is damaged or another file (its MD5 is not {archive.md5}): replace or delete it"
                )
            shutil.copyfile(copy, folder / archive.name)
        else:
            _fetch_from_any(archive, folder / archive.name, most)


def _fetch_from_any(archive: Archive, path: Path, most: int) -> None:
    failures = []
    for address in archive.addresses:
        try:
            fetch(address, path, digest=archive.md5, algorithm="md5", most=most)
            return
        except FetchError as error:
            failures.append(str(error))
    raise FetchError("; ".join(failures))


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _archives(kind: type, mirror: str | None) -> list[Archive]:
    """The archives of a torchvision class, at its own addresses or in the folder that a mirror names."""
    if hasattr(kind, "resources"):
        found = [
            Archive(name, md5, [f"{base.rstrip('/')}/{name}" for base in kind.mirrors]) for name, md5 in kind.resources
        ]
    elif hasattr(kind, "split_list"):
        parts = (kind.split_list[part] for part in ("train", "test"))
        found = [Archive(name, md5, [address]) for address, name, md5 in parts]
    else:
        found = [Archive(kind.filename, kind.tgz_md5, [kind.url])]
    if mirror is None:
        return found
    return [archive._replace(addresses=[f"{mirror.rstrip('/')}/{archive.name}"]) for archive in found]


def _splits(kind: type) -> dict[str, dict]:
    """What a torchvision class is called with for its training and for its test images."""
    if hasattr(kind, "split_list"):
        return {"train": {"split": "train"}, "test": {"split": "test"}}
    return {"train": {"train": True}, "test": {"train": False}}


def _pixels_and_labels(part) -> tuple[Tensor, Tensor]:
    """Images ``(N, C, n, n)`` and labels of a torchvision data set, whose classes each have a layout of their own."""
    images = torch.as_tensor(part.data)
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[-1] == 3:
        images = images.permute(0, 3, 1, 2)
    labels = part.targets if hasattr(part, "targets") else part.labels
    return images.contiguous().clone(), torch.as_tensor(labels).long().clone()
