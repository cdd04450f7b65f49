"""The images that everything is measured on: the same for every network of a run."""

import torch
from torch import Tensor

from ..core.errors import InputError
from ..core.seeds import generator_for
from .datasets import Dataset, add_noise, normalise


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


class NoisyImages:
    """Images, each with Gaussian noise of its own, which depends on its number and a seed alone.

    Sliced like :class:`ProbeImages`.

    Args:
        images: the images without noise.
        norm: root mean square norm of the noise.
    """

    def __init__(self, images: ProbeImages, norm: float, seed: int):
        self._images, self._norm, self._seed = images, norm, seed
        self.shape, self.dtype, self.device = images.shape, images.dtype, images.device

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, part: slice) -> Tensor:
        noisy = [
            add_noise(image[None], self._norm, generator_for("noise on probe image", self._seed, number))
            for number, image in zip(range(len(self))[part], self._images[part], strict=True)
        ]
        return torch.cat(noisy)


def probe_images(dataset: Dataset, count: int, seed: int, device: torch.device | str = "cpu") -> ProbeImages:
    """Return ``count`` test images drawn by seed.

    Raises:
        InputError: more images asked for than the test split has.
    """
    if count > len(dataset.test_images):
        raise InputError(f"{count} test images are asked for: the test split has {len(dataset.test_images)}")
    picked = torch.randperm(len(dataset.test_images), generator=generator_for("probe", seed))[:count]
    return ProbeImages(dataset, picked, device)
