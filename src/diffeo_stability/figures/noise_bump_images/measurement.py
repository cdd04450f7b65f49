"""What the eye sees where the noise curve has its bump.

Source: the October 2021 deck: "Visually, the position of the bump makes sense for CIFAR10, not much for ImageNet".
"""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from ...core.curves import noise_of_norms
from ...core.errors import InputError
from ...core.images import batches_of
from ...core.seeds import generator_for
from ...data.datasets import Dataset
from ...data.probe import ProbeImages
from ..measuring import describe, networks_by_state, probe_on
from ..registry import Given, Measured


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
    """Put noise on a few probe images, the first that the trained network gets right, and have it predict them.

    Where the bump is, the table ``noise_curves_summary`` says.

    Returns:
        Rows of the table ``noise_bump_images``, one per image and norm, norm 0 first; and the picture of each, ``noisy
        (images, norms, C, n, n)`` uint8, clipped to what a pixel can show.

    Raises:
        InputError: fewer images that the network gets right than asked for, or no noise curve of it.
    """
    dataset, probe = given.dataset, given.probe
    *_, (state, network, metadata) = networks_by_state(given.checkpoints, given.device)
    bump = bump_of(given.tables["noise_curves_summary"], metadata["net"], metadata["seed"])
    images = probe_on(dataset, probe, given.device)
    right = _images_predicted_right(network, images, probe.batch_size)[: given.settings.images]
    if len(right) < given.settings.images:
        raise InputError(
            f"noise_bump_images.images is {given.settings.images}, but {metadata['net']} gets {len(right)} probe images "
            "right: ask for fewer, or train longer"
        )
    chosen = torch.cat([images[index : index + 1] for index in right])
    labels = images.labels[right]
    factors = [0.0, *sorted(given.settings.factors)]
    norms = [factor * float(bump.bump_r) for factor in factors]
    add_noise = noise_of_norms(norms, generator_for("pictures", probe.seed))
    identity = describe(state, metadata)
    bump_columns = {"bump_r": float(bump.bump_r), "bump": bool(bump.bump)}
    rows, pictures = [], []
    for factor, norm, noisy in zip(factors, norms, add_noise(chosen, slice(None)), strict=True):
        pictures.append(_as_pixels(noisy, dataset))
        predicted = _predicted_columns(network, noisy, labels, dataset.classes)
        for number, (index, columns) in enumerate(zip(right, predicted, strict=True)):
            which = {"image": number, "probe_image": index, "factor": factor, "r": norm}
            rows.append(identity | which | columns | bump_columns)
    return Measured(rows, pictures={"noisy": torch.stack(pictures, dim=1)})


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
