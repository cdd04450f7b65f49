"""Pictures at the bump: noise of the norms asked for, and what the network says to it."""

import pandas as pd
import pytest
import torch
from trainings import write_training

from diffeo_stability import InputError
from diffeo_stability.data.probe import probe_images
from diffeo_stability.figures.noise_bump_images import NoiseBumpImages
from diffeo_stability.figures.noise_bump_images.measurement import measure_noise_bump_images
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.networks.checkpoints import list_checkpoints, load_checkpoint


@pytest.fixture
def summary():
    """The noise curves' summary: the bump of the trained network at 6, all else elsewhere."""
    rows = [
        {
            "net": "mine",
            "seed": 3,
            "state": state,
            "perturbation": perturbation,
            "output": output,
            "bump_r": r,
            "bump": True,
        }
        for state, perturbation, output, r in (
            ("init", "noise", "logits", 1.0),
            ("trained", "deformation", "logits", 2.0),
            ("trained", "noise", "softmax", 3.0),
            ("trained", "noise", "logits", 6.0),
        )
    ]
    return pd.DataFrame(rows)


def measure(mnist5k, summary, folder, **settings):
    given = Given(
        settings=NoiseBumpImages(network="mine", **settings),
        probe=Probe(images=80),
        checkpoints=folder,
        dataset=mnist5k,
        tables={"noise_curves_summary": summary},
    )
    rows, _, pictures = measure_noise_bump_images(given)
    return rows, pictures


def test_pictures_show_images_that_the_network_gets_right_with_noise_of_the_norms(mnist5k, summary, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: network.linear3.weight.mul_(2), name="lenet")
    rows, pictures = measure(mnist5k, summary, folder, images=2, factors=[4.0, 0.5])
    assert [(row["image"], row["factor"], row["r"]) for row in rows] == [
        (image, factor, 6 * factor) for factor in (0.0, 0.5, 4.0) for image in (0, 1)
    ]
    noisy = pictures["noisy"]
    assert noisy.shape == (2, 3, 1, 28, 28) and noisy.dtype == torch.uint8
    images = probe_images(mnist5k, 80, seed=0)
    network, _ = load_checkpoint(list_checkpoints(folder)[-1])
    with torch.no_grad():
        logits = network(images[:])
    right = torch.nonzero(logits.argmax(1) == images.labels)[:2, 0]
    for row in rows[:2]:
        index = int(right[row["image"]])
        assert row["probe_image"] == index and row["prediction"] == row["label"] == str(int(images.labels[index]))
        assert row["confidence"] == pytest.approx(float(logits[index].double().softmax(0).max()), rel=1e-5)
        scale = 255 * float(mnist5k.std)
        # Pixels far from black and white show the noise unclipped
        clean = noisy[row["image"], 0].float()
        grey = (clean > 80) & (clean < 175)
        assert grey.any()
        moved = (noisy[row["image"], 1].float() - clean)[grey]
        assert 0.3 < float(moved.square().mean().sqrt()) / (scale * 3.0 / 28) < 3


def test_too_few_right_images_and_missing_curves_are_named(mnist5k, summary, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="lenet")
    with pytest.raises(InputError, match=r"noise_bump_images.images is 70, but mine gets \d+ probe images right"):
        measure(mnist5k, summary, folder, images=70)
    with pytest.raises(InputError, match="0 rows for mine, seed 3: measure it in noise_curves"):
        measure(mnist5k, summary[summary.state == "init"], folder)
