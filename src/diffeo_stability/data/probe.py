"""The images that everything is measured on: the same for every network of a run."""

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.seeds import generator_for
from .datasets import Dataset, normalise


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


def probe_images(dataset: Dataset, count: int, seed: int, device: torch.device | str = "cpu") -> ProbeImages:
    """Return ``count`` test images drawn by seed.

    Raises:
        InputError: more images asked for than the test split has.
    """
    if count > len(dataset.test_images):
        raise InputError(f"probe.images is {count}: the test split has {len(dataset.test_images)}")
    picked = torch.randperm(len(dataset.test_images), generator=generator_for("probe", seed))[:count]
    return ProbeImages(dataset, picked, device)
