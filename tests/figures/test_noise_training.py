"""Nets trained with noise: measured on images with such noise; claims and caption."""

import math

import pytest
import torch
from claiming import reaches_every_verdict, said
from trainings import SPLIT, save_training

from diffeo_stability import build_network
from diffeo_stability.data.datasets import split_dataset
from diffeo_stability.data.probe import NoisyImages, probe_images
from diffeo_stability.figures.noise_training.measurement import measure_noise_training
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.figures.stability import Stability
from diffeo_stability.networks.checkpoints import list_checkpoints, load_checkpoint, read_metadata, save_checkpoint
from diffeo_stability.networks.evaluation import error_rate

NETWORK = {"name": "lenet", "in_channels": 1, "image_size": 28, "classes": 10}


def test_noise_on_probe_images_has_its_norm_and_does_not_depend_on_batches(mnist5k):
    images = probe_images(mnist5k, 200, 0)
    noisy = NoisyImages(images, 5.0, 0)
    noise = noisy[0:200] - images[0:200]
    assert noise.flatten(1).norm(dim=1).square().mean().sqrt().item() == pytest.approx(5, rel=0.02)
    assert torch.equal(noisy[30:60], noisy[0:200][30:60])
    assert len(noisy) == 200 and torch.equal(NoisyImages(images, 0.0, 0)[0:10], images[0:10])


def test_a_training_is_measured_with_its_noise_and_without(mnist5k, tmp_path):
    torch.manual_seed(0)
    save_training(tmp_path, [build_network(**NETWORK)] * 2, NETWORK)
    for path in list_checkpoints(tmp_path):
        metadata = read_metadata(path)
        save_checkpoint(load_checkpoint(path)[0], path, {**metadata, "split": {**SPLIT, "noise": 20.0}})
    probe = Probe(images=60, resamples=100)
    given = Given(probe=probe, stability=Stability(), checkpoints=tmp_path, dataset=mnist5k)
    noisy, clean = measure_noise_training(given).table
    assert (noisy["images"], clean["images"], noisy["noise"], noisy["state"]) == ("noisy", "clean", 20.0, "trained")
    assert noisy["G"] != clean["G"] and noisy["test_error"] == clean["test_error"]
    network, metadata = load_checkpoint(list_checkpoints(tmp_path)[-1])
    splits = split_dataset(mnist5k, **metadata["split"])
    assert noisy["test_error"] == error_rate(network, splits, splits.test)


def rows_of(net, noise, error, deformation, noise_stability, seed=0):
    symbols = {"D": deformation, "G": noise_stability, "R": deformation / noise_stability}
    return {
        "net": net,
        "seed": seed,
        "state": "trained",
        "images": "noisy",
        "noise": noise,
        "test_error": error,
        **symbols,
    }


def correlated(correlation, quantity, half=0.0):
    """Nets whose log error correlates with that of a quantity as asked; many of them make the interval narrow."""
    count = 12 if half > 0.1 else 4000
    x = torch.linspace(-1, 1, count, dtype=torch.float64)
    y = torch.cos(math.pi * torch.arange(count, dtype=torch.float64))
    x, y = x - x.mean(), y - y.mean()
    y = y - (x @ y) / (x @ x) * x
    x, y = x / x.norm() * math.sqrt(count), y / y.norm() * math.sqrt(count)
    logs = correlation * x + math.sqrt(1 - correlation**2) * y
    return {
        "noise_training": [
            rows_of(
                f"net{number}",
                1.0,
                math.exp(float(a) / 10),
                **{"deformation": 1.0, "noise_stability": 1.0} | {quantity: math.exp(float(b))},
            )
            for number, (a, b) in enumerate(zip(x, logs, strict=True))
        ]
    }


CASES = {
    "20a": (lambda x, half: correlated(x, "deformation", half), 0.8, -0.8, 0.0),
    "20b": (lambda x, half: correlated(x, "noise_stability", half), -0.8, 0.8, 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_reaches_every_verdict(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_the_caption_compares_least_with_most_noise(tmp_path):
    rows = [rows_of("lenet", 0.0, 0.02, 0.5, 0.1), rows_of("lenet", 10.0, 0.1, 0.25, 0.2)]
    text = said("noise_training", tmp_path, {"noise_training": rows})
    assert text.startswith("With noise of norm 10 the error is 10% in LeNet; with none it is 2.0% in LeNet.")
    assert "the former over that with the latter is 0.5 in LeNet, and :math:`G_f` 2 in LeNet." in text
    assert "correlation" not in text
    four = [row for name in ("a", "b", "c", "d") for row in ({**one, "net": name} for one in rows)]
    spread = [
        {**row, "D": row["D"] * factor, "test_error": row["test_error"] * factor}
        for row, factor in zip(four, [1, 1, 2, 2, 3, 3, 4, 5], strict=True)
    ]
    spread = [{**row, "G": row["G"] / (1 + number)} for number, row in enumerate(spread)]
    text = said("noise_training", tmp_path, {"noise_training": spread})
    assert "correlation of the logarithm of the error is" in text and "at noise of norm 10" in text
    assert ":math:`\\log G_f` without noise and" in text


def test_the_caption_counts_the_nets_without_an_error(tmp_path):
    perfect = [rows_of("lenet", noise, 0.0, 0.5, 0.1) for noise in (0.0, 10.0)]
    assert (
        said("noise_training", tmp_path, {"noise_training": perfect}) == "Not drawn: 2 trainings without a test error."
    )
    noisy = rows_of("lenet", 10.0, 0.1, 0.5, 0.1)
    alone = said("noise_training", tmp_path, {"noise_training": [perfect[0], noisy]})
    assert alone == "Not drawn: 1 training without a test error."
    other = [rows_of("vgg11", noise, 0.1, 0.5, 0.1) for noise in (0.0, 10.0)]
    text = said("noise_training", tmp_path, {"noise_training": [perfect[0], noisy, *other]})
    assert text.startswith("With noise of norm 10 the error is 10% in VGG11;") and text.endswith(
        "1 training without a test error."
    )
