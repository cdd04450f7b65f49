"""D, G and R over depth: means over channels in closed form, and which curves a training has; claims and caption."""

import numpy as np
import pytest
import torch
from claiming import decided, reaches_every_verdict, said
from torch import nn
from trainings import write_training

from diffeo_stability.core.by_operation import distances_by_operation, stability_by_operation
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.figures.stability import Stability
from diffeo_stability.figures.stability_by_depth.measurement import channel_mean, measure_stability_by_depth


def test_the_mean_over_channels_is_that_of_a_net_that_averages():
    """A convolution of one channel whose filter is the mean of the others' gives the mean of their maps."""
    images = torch.randn(30, 1, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.manual_seed(1)
    several = nn.Conv2d(1, 5, 3, padding=1).double()
    mean = nn.Conv2d(1, 1, 3, padding=1).double()
    with torch.no_grad():
        mean.weight.copy_(several.weight.mean(0, keepdim=True))
        mean.bias.copy_(several.bias.mean(0, keepdim=True))
    network = nn.Sequential(several, nn.Flatten(), nn.Linear(5 * 144, 3).double())

    def generator():
        return torch.Generator().manual_seed(2)

    averaged = distances_by_operation(network, images, generator=generator(), view=channel_mean)
    assert list(averaged) == ["0"]  # the linear map has no channels
    expected = stability_by_operation(nn.Sequential(mean), images, generator=generator())["0"]
    d, g = averaged["0"].normalised().tolist()
    assert d == pytest.approx(expected.deformation.value, rel=1e-9)
    assert g == pytest.approx(expected.noise.value, rel=1e-9)


def test_a_training_has_all_its_curves(mnist5k, tmp_path):
    folder = write_training(tmp_path, lambda network: network.conv1.weight.mul_(2), name="vgg11_bn", width=0.0625)
    probe = Probe(images=30, resamples=100)
    given = Given(probe=probe, stability=Stability(), checkpoints=folder, dataset=mnist5k)
    rows = measure_stability_by_depth(given).table
    curves = list(dict.fromkeys((row["state"], row["variant"], row["batch_norm"]) for row in rows))
    assert curves == [
        ("init", "whole", "batch"),
        ("init", "whole", "estimated"),
        ("trained", "whole", "running"),
        ("trained", "averaged", "running"),
        ("trained", "shuffled", "kept"),
        ("trained", "shuffled", "re-estimated"),
    ]
    of_whole = {row["operation"]: row["depth"] for row in rows if row["variant"] == "whole"}
    assert max(of_whole.values()) == 1 and list(of_whole.values()) == sorted(of_whole.values())
    for row in rows:
        assert row["depth"] == of_whole[row["operation"]]
    assert not any(row["kind"] == "linear" for row in rows if row["variant"] == "averaged")
    # The first convolution reads one channel, which cannot be shuffled
    first = {row["variant"]: row["D"] for row in rows if row["operation"] == "conv1" and row["state"] == "trained"}
    assert first["shuffled"] == pytest.approx(first["whole"], rel=1e-5)


def over_depth(deformation, noise, averaged=1.0, half=0.0, net="vgg11", seed=0, variant="whole", state="trained"):
    """Rows of a net whose D and G change by factors over its depth; ``half`` makes them scatter about that."""
    operations = np.arange(1, 7)
    scatter = half * np.array([1, -1, 0, 0, -1, 1])  # no slope of its own
    rows = []
    for index, noise_of_row in zip(operations, scatter, strict=True):
        share = (index - 1) / 5
        shared = {"net": net, "seed": seed, "state": state, "batch_norm": "none", "operation": f"conv{index}"}
        shared |= {
            "operation_index": index,
            "kind": "conv",
            "depth": index / 6,
            "architecture": "vgg11",
            "imported": False,
        }
        d, g = deformation**share * np.exp(noise_of_row), noise**share * np.exp(noise_of_row)
        rows.append({**shared, "variant": variant, "D": d, "G": g, "R": d / g})
        if variant == "whole" and state == "trained":
            d_averaged = d * averaged * np.exp(noise_of_row)
            rows.append({**shared, "variant": "averaged", "D": d_averaged, "G": g, "R": d_averaged / g})
    return rows


CASES = {
    "17a": (lambda x, half: {"stability_by_depth": over_depth(x, 2.0, half=half)}, 0.3, 3.0, 1.0),
    "17b": (lambda x, half: {"stability_by_depth": over_depth(0.5, x, half=half)}, 3.0, 0.3, 1.0),
    "17c": (lambda x, half: {"stability_by_depth": over_depth(0.5, 2.0, averaged=x, half=half)}, 0.5, 2.0, 1.0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_reaches_every_verdict(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_a_net_of_two_convolutions_is_named_and_its_mean_told(tmp_path):
    two = [row for row in over_depth(0.5, 2.0, averaged=0.4, net="lenet") if row["operation_index"] <= 2]
    both = {"stability_by_depth": [*over_depth(0.5, 2.0, averaged=0.8), *two]}
    row = decided("17c", tmp_path, both)
    assert row.reason == "VGG11 alone; not counted, as they have fewer than three convolutions: LeNet"
    assert "0.8 in VGG11 and 0.4 in LeNet times its own" in said("stability_by_depth", tmp_path, both)


def test_the_caption_speaks_of_one_net_and_of_several(tmp_path):
    one = over_depth(0.5, 4.0, averaged=0.8)
    text = said("stability_by_depth", tmp_path, {"stability_by_depth": one})
    assert "straight lines through the logarithms" in text
    assert "by a factor of 0.5 in VGG11 (it falls in the one net)" in text and "by 4 in VGG11" in text
    assert "0.8 in VGG11 times its own" in text and "At init" not in text and "shuffled" not in text
    more = [
        {**row, "seed": seed}
        for seed in range(2)
        for rows in (
            one,
            over_depth(2.0, 4.0, net="lenet"),
            over_depth(0.9, 1.1, state="init"),
            over_depth(0.7, 1.1, variant="shuffled"),
        )
        for row in rows
    ]
    text = said("stability_by_depth", tmp_path, {"stability_by_depth": more})
    assert "it falls in 1 of 2 nets" in text and "geometric means over 2 seeds" in text
    assert "At init :math:`D_k` changes by 0.9 in VGG11." in text
    assert "With shuffled channels it changes by 0.7 in VGG11." in text
    drawn = [{**row, "imported": True} for row in more]
    assert "At init (weights drawn anew where a net's own were brought along) :math:`D_k`" in said(
        "stability_by_depth", tmp_path, {"stability_by_depth": drawn}
    )
