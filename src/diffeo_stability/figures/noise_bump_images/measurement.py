"""What the eye sees where the noise curve has its bump.

Source: the October 2021 deck: "Visually, the position of the bump makes sense for CIFAR10, not much for ImageNet", and the
direction of another datapoint.
"""

import math
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from ...core.curves import noise_of_norms, towards
from ...core.errors import InputError
from ...core.images import batches_of
from ...core.perturbations import norms_of
from ...core.seeds import generator_for
from ...data.class_names import readable_names
from ...data.datasets import Dataset
from ...data.probe import ProbeImages
from ..measuring import describe, networks_by_state, probe_on
from ..registry import Given, Measured
from ..settings import Probe


def bump_of(summary: pd.DataFrame, network: str, seed: int) -> pd.Series:
    """Return the row of the table ``noise_curves_summary`` on noise and the logits of a trained network.

    Raises:
        InputError: there is none.
    """
    what = {"net": network, "seed": seed, "state": "trained", "perturbation": "noise", "output": "logits"}
    rows = summary[(summary[list(what)] == pd.Series(what)).all(axis=1)]
    if len(rows) != 1:
        raise InputError(
            f"the noise curves have {len(rows)} rows for {network}, seed {seed}: measure it in noise_curves"
        )
    return rows.iloc[0]


@torch.no_grad()
def predict(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the predicted class and its softmax probability, ``(B,)`` each."""
    confidence, prediction = network(images).double().softmax(1).max(1)
    return prediction, confidence


def measure_noise_bump_images(given: Given) -> Measured:
    """Move a few probe images, the first that the trained network gets right, by noise and towards another image, and have it
    predict them.

    Where the bump is, the table ``noise_curves_summary`` says. The other image is the next probe image of another class.

    Returns:
        Rows of the table ``noise_bump_images``, one per image, perturbation and norm, norm 0 first. ``perturbation`` is ``noise``
        or ``datapoint``; of the latter norm 0 is the other image itself, and ``way`` the norm over the distance of the two. And
        the pictures by perturbation, ``(images, norms, C, n, n)`` uint8, clipped to what a pixel can show.

    Raises:
        InputError: fewer images that the network gets right than asked for, no two classes among them, two equal images, or no
            noise curve of the network.
    """
    dataset, probe, settings = given.dataset, given.probe, given.settings
    *_, (state, network, metadata) = networks_by_state(given.checkpoints, given.device)
    bump = bump_of(given.tables["noise_curves_summary"], metadata["net"], metadata["seed"])
    images = probe_on(dataset, probe, given.device)
    right = _images_predicted_right(network, images, probe.batch_size)[: settings.images]
    if len(right) < settings.images:
        raise InputError(
            f"noise_bump_images.images is {settings.images}, but {metadata['net']} gets {len(right)} probe images "
            "right: ask for fewer, or train longer"
        )
    others = [_next_of_another_class(images.labels, index) for index in right]
    factors = [0.0, *sorted(settings.factors)]
    norms = [factor * float(bump.bump_r) for factor in factors]
    identity = describe(state, metadata)
    of_bump = {column: bump[column] for column in ("bump_r", "bump", "contrast_norm")}
    names = readable_names(dataset.classes)
    rows, pictures = [], {}
    for perturbation, moved in _moved(images, right, others, norms, probe).items():
        pictures[perturbation] = torch.stack([_as_pixels(at_norm, dataset) for at_norm, _ in moved], dim=1)
        for factor, norm, (at_norm, ways) in zip(factors, norms, moved, strict=True):
            shown = others if perturbation == "datapoint" and factor == 0 else right
            predicted = _predicted_columns(network, at_norm, images.labels[shown], names)
            for number, (index, way, columns) in enumerate(zip(shown, ways, predicted, strict=True)):
                which = {"image": number, "probe_image": index, "perturbation": perturbation}
                rows.append(identity | which | {"factor": factor, "r": norm, "way": way} | columns | of_bump)
    return Measured(rows, pictures=pictures)


def _moved(
    images: ProbeImages, right: list[int], others: list[int], norms: list[float], probe: Probe
) -> dict[str, list[tuple[Tensor, list[float]]]]:
    """Images by perturbation and norm, each ``(B, C, n, n)``, with what share of the way to the other one that is, if it is one.

    Of ``datapoint`` the first is the other image in place of the one that has not moved.
    """
    clean, goal = (torch.cat([images[index : index + 1] for index in picked]) for picked in (right, others))
    pairs = torch.cat([clean, goal])
    partner = torch.arange(len(clean), 2 * len(clean))
    noisy = noise_of_norms(norms, generator_for("pictures", probe.seed))(clean, slice(None))
    nearer = towards(pairs, partner, norms)(clean, slice(None))
    distances = norms_of(goal - clean).tolist()
    return {
        "noise": [(at_norm, [math.nan] * len(clean)) for at_norm in noisy],
        "datapoint": [
            (at_norm if norm else goal, [norm / distance for distance in distances])
            for norm, at_norm in zip(norms, nearer, strict=True)
        ],
    }


def _next_of_another_class(labels: Tensor, index: int) -> int:
    """The next image after one, in a circle, that is of another class."""
    following = torch.arange(index + 1, index + len(labels)) % len(labels)
    different = following[labels.cpu()[following] != labels[index].cpu()]
    if not len(different):
        raise InputError("all probe images are of one class: there is none of another to move towards")
    return int(different[0])


def _images_predicted_right(network: nn.Module, images: ProbeImages, batch_size: int) -> list[int]:
    predicted = torch.cat([predict(network, batch)[0] for _, batch in batches_of(images, batch_size)])
    return torch.nonzero(predicted == images.labels)[:, 0].tolist()


def _as_pixels(images: Tensor, dataset: Dataset) -> Tensor:
    """Normalised images as uint8 ones, clipped to what a pixel can show."""
    scale, shift = (value.to(images.device)[:, None, None] for value in (dataset.std, dataset.mean))
    return (255 * (images * scale + shift)).round().clamp(0, 255).byte()


def _predicted_columns(network: nn.Module, images: Tensor, labels: Tensor, classes: Sequence[str]) -> list[dict]:
    """Columns that say what each image is and what the network takes it for."""
    return [
        {
            "label": classes[label],
            "prediction": classes[prediction],
            "confidence": confidence,
            "right": prediction == label,
        }
        for label, prediction, confidence in zip(
            labels.tolist(), *(part.tolist() for part in predict(network, images)), strict=True
        )
    ]
