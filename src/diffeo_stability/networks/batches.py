"""Batches of training images: taken, cropped and mirrored in one step, then normalised."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.datasets import Splits, add_noise
from .settings import Recipe


class TrainingBatches:
    """The training images of a recipe, from which batches are taken as the network gets them.

    The images lie with their channels last and a black margin around them, so that one gather takes a batch, crops each of its
    images at random and mirrors half of them.

    Args:
        splits: whose training images and labels are taken; they stay on their device.
        recipe: says the augmentation and the memory layout.
    """

    def __init__(self, splits: Splits, recipe: Recipe):
        self._splits, self._recipe = splits, recipe
        self._size = splits.train.images.shape[-1]
        margin = (recipe.crop_padding,) * 4
        self._padded = F.pad(splits.train.images, margin).permute(0, 2, 3, 1).contiguous()
        # Of whole images, as they lie in memory: to spread three numbers over all pixels takes five times as long
        mean, std = (numbers.repeat(self._size**2) for numbers in (splits.mean, splits.std))
        self._scale, self._shift = 1 / (255 * std), -mean / std

    def __len__(self) -> int:
        return len(self._padded)

    def pixels(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """Return training images ``(B, C, n, n)``, augmented, as uint8 with their channels last in memory.

        Args:
            index: numbers of the images, ``(B,)``, on the CPU.
            generator: of crops and mirrors, on the CPU.
        """
        count, recipe = len(index), self._recipe
        rows = columns = torch.arange(self._size).expand(count, -1)
        offsets = torch.zeros(2, count, 1, dtype=torch.int64)
        if recipe.crop_padding:
            offsets = torch.randint(2 * recipe.crop_padding + 1, (2, count, 1), generator=generator)
        if recipe.horizontal_flip:
            mirrored = torch.rand(count, generator=generator) < 0.5
            columns = torch.where(mirrored[:, None], columns.flip(1), columns)
        side, channels = self._padded.shape[1], self._padded.shape[3]
        places = ((index[:, None] * side + offsets[0] + rows)[:, :, None] * side) + (offsets[1] + columns)[:, None, :]
        taken = self._padded.view(-1, channels).index_select(0, places.flatten().to(self._padded.device))
        return taken.view(count, self._size, self._size, channels).permute(0, 3, 1, 2)

    def take(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return training images ``(B, C, n, n)``, augmented, normalised and with noise as the recipe says, and their labels.

        Args:
            index, generator: as of :meth:`pixels`.
        """
        pixels = self.pixels(index, generator).permute(0, 2, 3, 1)
        values = pixels.flatten(1).float()
        torch.addcmul(self._shift, values, self._scale, out=values)
        images = add_noise(values.view(pixels.shape).permute(0, 3, 1, 2), self._splits.noise, generator)
        layout = torch.channels_last if self._recipe.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=layout), self._splits.train.labels[index.to(images.device)]
