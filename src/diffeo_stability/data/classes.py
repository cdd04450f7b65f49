"""A data set of which some classes are left out."""

from dataclasses import replace

from .datasets import Dataset


def of_first_classes(dataset: Dataset, count: int) -> Dataset:
    """Return the images of the first ``count`` classes, normalised as before: those of a training with that ``label_count``.

    Args:
        count: from 2 to the number of classes.
    """
    kept = {}
    for part in ("train", "test"):
        images, labels = getattr(dataset, f"{part}_images"), getattr(dataset, f"{part}_labels")
        kept |= {f"{part}_images": images[labels < count], f"{part}_labels": labels[labels < count]}
    return replace(dataset, **kept, classes=dataset.classes[:count])
