"""Which networks belong to the classes that the sources speak of: the papers' fifteen, and the state of the art of their time."""

import math

from .catalogue import family_of, kinds_of

PAPERS = (
    *("fully_connected_2", "fully_connected_4", "fully_connected_6", "lenet", "alexnet"),
    *("vgg11", "vgg11_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"),
    *("resnet18", "resnet34", "resnet50", "efficientnet_b0"),
)  # arXiv:2105.02468, figure 4
STATE_OF_THE_ART = ("alexnet", "vgg", "resnet", "efficientnet")  # families
BY_HES_RULE = ("vgg16", "vgg19")  # drawn otherwise than by the papers; see architectures/vgg.py
USUAL_FILTER = 3  # pixels along a side of a VGG's filters


def of_the_papers(architecture: str, filter_size: float | None = None) -> bool:
    """Whether a network is one of the fifteen that the papers compare; those of libraries have other first layers.

    Args:
        filter_size: of its first filters, where it can be chosen (NaN or none if it is the usual one): another makes it another
            network.
    """
    return architecture in PAPERS and _has_usual_filters(filter_size)


def state_of_the_art(architecture: str, filter_size: float | None = None) -> bool:
    """Whether it is a deep convolutional one of these, of any size: AlexNet, VGG, ResNet, EfficientNet."""
    family = family_of(architecture)
    known = family is not None and family.name in STATE_OF_THE_ART and "deep" in kinds_of(architecture)
    return known and _has_usual_filters(filter_size)


def _has_usual_filters(size: float | None) -> bool:
    return size is None or math.isnan(size) or size == USUAL_FILTER
