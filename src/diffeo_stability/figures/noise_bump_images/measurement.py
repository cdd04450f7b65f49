"""What the eye sees where the noise curve has its bump.

Source: the October 2021 deck: "Visually, the position of the bump makes sense for CIFAR10, not much for ImageNet".
"""

import pandas as pd
import torch
from torch import Tensor, nn

from ...core.curves import noise_of_norms
from ...core.errors import InputError
from ...core.seeds import generator_for
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
        Rows of the table ``noise_bump_images``, one an image and norm, norm 0 first; and the picture of each, ``noisy
        (images, norms, C, n, n)`` uint8, clipped to what a pixel can show.

    Raises:
        InputError: fewer images that the network gets right than asked for, or no noise curve of it.
    """
    dataset, settings, probe, device = given.dataset, given.settings, given.probe, given.device
    *_, (state, network, metadata) = networks_by_state(given.checkpoints, device)
    bump = bump_of(given.tables["noise_curves_summary"], metadata["net"], metadata["seed"])
    images = probe_on(dataset, probe, device)
    labels = images.labels
    predicted = torch.cat(
        [predict(network, images[k : k + probe.batch_size])[0] for k in range(0, len(images), probe.batch_size)]
    )
    right = torch.nonzero(predicted == labels)[: settings.images, 0]
    if len(right) < settings.images:
        raise InputError(
            f"noise_bump_images.images is {settings.images}, but {metadata['net']} gets {len(right)} probe images right: "
            "ask for fewer, or train longer"
        )
    chosen = torch.cat([images[int(k) : int(k) + 1] for k in right])
    factors = [0.0, *sorted(settings.factors)]
    norms = [factor * float(bump.bump_r) for factor in factors]
    add_noise = noise_of_norms(norms, generator_for("pictures", probe.seed))
    rows, pictures = [], []
    scale, shift = (value.to(device)[:, None, None] for value in (dataset.std, dataset.mean))
    for factor, norm, noisy in zip(factors, norms, add_noise(chosen, slice(None)), strict=True):
        pictures.append((255 * (noisy * scale + shift)).round().clamp(0, 255).byte())
        prediction, confidence = predict(network, noisy)
        for place, index in enumerate(right.tolist()):
            rows.append(
                {
                    **describe(state, metadata),
                    "image": place,
                    "probe_image": index,
                    "factor": factor,
                    "r": norm,
                    "label": dataset.classes[int(labels[index])],
                    "prediction": dataset.classes[int(prediction[place])],
                    "confidence": float(confidence[place]),
                    "right": bool(prediction[place] == labels[index]),
                    "bump_r": float(bump.bump_r),
                    "bump": bool(bump.bump),
                }
            )
    return Measured(rows, pictures={"noisy": torch.stack(pictures, dim=1)})
