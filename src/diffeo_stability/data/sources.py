"""The data sets that a run can name: one entry each. Nothing is imported here, so that a run is planned in no time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Where images come from.

    Attributes:
        reader: module of this package with the function ``read``, which brings the images into memory.
        title: what figures call the images; the user's own name for them if not given.
        image_size: pixels along a side, where the source decides it.
        train_images, test_images, classes: how many it has, where the source decides it.
        digits: whether the images mean something else when mirrored.
        own: whether the user says by ``path`` where the images are.
        torchvision_class: torchvision's name for it, of what torchvision downloads.
        archives: where below its root torchvision looks for the archives.
    """

    reader: str
    title: str | None = None
    image_size: int | None = None
    train_images: int | None = None
    test_images: int | None = None
    classes: int | None = None
    digits: bool = False
    own: bool = False
    torchvision_class: str | None = None
    archives: str = "."


SOURCES = {
    "mnist5k": Source("mnist5k", "MNIST, 5,000 digits", 28, 4_000, 1_000, 10, digits=True),
    "mnist": Source(
        "downloads", "MNIST", 28, 60_000, 10_000, 10, digits=True, torchvision_class="MNIST", archives="MNIST/raw"
    ),
    "fashion_mnist": Source(
        "downloads",
        "Fashion-MNIST",
        28,
        60_000,
        10_000,
        10,
        torchvision_class="FashionMNIST",
        archives="FashionMNIST/raw",
    ),
    "cifar10": Source("downloads", "CIFAR-10", 32, 50_000, 10_000, 10, torchvision_class="CIFAR10"),
    "svhn": Source("downloads", "SVHN", 32, 73_257, 26_032, 10, digits=True, torchvision_class="SVHN"),
    "two_points": Source("two_points", "pairs of pixels"),
    "image_folder": Source("folders", own=True),
    "arrays": Source("arrays", own=True),
}
