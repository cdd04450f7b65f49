"""What classes are called, where folders are named by WordNet's identifiers."""

import re
from collections.abc import Sequence

FIRST, LAST, COUNT = "n01440764", "n15075141", 1000  # of ImageNet's classes, in the order of their identifiers


def readable_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of ImageNet's thousand classes in place of their WordNet identifiers; other classes as they are.

    The names are those that torchvision, where it is installed, gives with its weights; without it identifiers remain.

    Args:
        classes: identifiers in ascending order, or names.
    """
    classes = tuple(classes)
    identifiers = all(re.fullmatch(r"n\d{8}", name) for name in classes)
    if not identifiers or len(classes) != COUNT or (classes[0], classes[-1]) != (FIRST, LAST):
        return classes
    try:
        from torchvision.models import AlexNet_Weights  # seconds to import, for these names alone
    except ImportError:
        return classes
    return tuple(AlexNet_Weights.DEFAULT.meta["categories"])
