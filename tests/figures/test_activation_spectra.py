"""Spectra of a training; claims and caption."""

import numpy as np
import pandas as pd
import pytest
import torch
from claiming import decided, reaches_every_verdict, said, spread_about, with_interval
from torch import nn
from trainings import save_training, write_training

from diffeo_stability import build_network, radial_power_spectrum
from diffeo_stability.core.spectra import modes_of_rings
from diffeo_stability.data.probe import probe_images
from diffeo_stability.figures.activation_spectra.measurement import measure_activation_spectra
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.networks.checkpoints import list_checkpoints, read_metadata, save_checkpoint


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """Two checkpoints by hand; the trained network's filters are a constant one, which is low-pass."""
    return write_training(
        tmp_path_factory.mktemp("training"),
        lambda network: nn.init.constant_(network.conv1.weight, 0.04),
        name="one_hidden_layer_cnn",
        width=0.125,
    )


PROBE = Probe(images=60, resamples=200)


def test_a_training_is_measured_at_init_and_trained(mnist5k, training):
    rows, summary, _ = measure_activation_spectra(Given(probe=PROBE, checkpoints=training, dataset=mnist5k))
    found = [(row["state"], row["operation"], row["operation_index"], row["kind"]) for row in summary]
    operations = [("input", 0, "input"), ("conv1", 1, "conv"), ("relu1", 2, "relu"), ("pool1", 3, "pool")]
    assert found == [(state, *operation) for state in ("init", "trained") for operation in operations]
    assert {(row["net"], row["seed"], row["width"], row["images"]) for row in summary} == {("mine", 3, 0.125, 60)}
    for row in summary:
        own = [other for other in rows if all(other[key] == row[key] for key in ("state", "operation"))]
        assert [other["wavenumber"] for other in own] == list(
            range(1, len(modes_of_rings(7 if row["operation"] == "pool1" else 28)))
        )
        weights = [other["power"] * other["modes"] for other in own]
        mean = sum(other["wavenumber"] * weight for other, weight in zip(own, weights, strict=True)) / sum(weights)
        assert row["mean_wavenumber"] == pytest.approx(mean)
        assert row["mean_wavenumber_low"] < row["mean_wavenumber"] < row["mean_wavenumber_high"]
    init, trained = summary[1], summary[len(operations) + 1]
    assert [init[f"ratio_to_init{end}"] for end in ("", "_low", "_high")] == pytest.approx([1, 1, 1], rel=1e-12)
    assert trained["ratio_to_init_low"] < trained["ratio_to_init"] < trained["ratio_to_init_high"] < 1
    assert trained["ratio_to_init"] == pytest.approx(trained["mean_wavenumber"] / init["mean_wavenumber"])


def test_rows_of_the_input_are_the_spectrum_of_the_probe_images(mnist5k, training):
    rows = measure_activation_spectra(Given(probe=PROBE, checkpoints=training, dataset=mnist5k)).table
    _, power = radial_power_spectrum(probe_images(mnist5k, 60, 0)[:].double())
    for state in ("init", "trained"):
        measured = [row["power"] for row in rows if row["operation"] == "input" and row["state"] == state]
        torch.testing.assert_close(torch.tensor(measured, dtype=torch.float64), power.mean((0, 1))[1:])


def test_batch_size_changes_nothing(mnist5k, training):
    small, large = (
        measure_activation_spectra(
            Given(probe=PROBE.model_copy(update={"batch_size": size}), checkpoints=training, dataset=mnist5k)
        )
        for size in (7, 50)
    )
    # Squares of sums of 26 numbers in single precision; at large wavenumbers, which have a hundredth of the mean power, the
    # rounding of the whole weighs ten times as much
    rtol = 10 * 2 * 26 * torch.finfo(torch.float32).eps
    for part, other in zip(small[:2], large[:2], strict=True):
        pd.testing.assert_frame_equal(pd.DataFrame(part), pd.DataFrame(other), rtol=rtol, atol=0)


def test_interval_covers_the_mean_wavenumber_of_other_images(mnist5k, training):
    """The mean over all test images lies inside the intervals of most draws of 60 of them."""
    summary = measure_activation_spectra(
        Given(probe=Probe(images=1000, resamples=100), checkpoints=training, dataset=mnist5k)
    ).summary
    covered = 0
    for seed in range(10):
        probe = PROBE.model_copy(update={"seed": seed})
        part = measure_activation_spectra(Given(probe=probe, checkpoints=training, dataset=mnist5k)).summary
        covered += part[4]["mean_wavenumber_low"] <= summary[4]["mean_wavenumber"] <= part[4]["mean_wavenumber_high"]
    assert covered >= 7


def ratios_of(measured, **values):
    rows = [row for row in measured.summary if all(row[name] == value for name, value in values.items())]
    return {
        row["operation"]: [row[f"ratio_to_init{end}"] for end in ("", "_low", "_high", "_normalised")] for row in rows
    }


def test_trained_nets_are_compared_with_the_init_of_batch_statistics(mnist5k, tmp_path):
    """The other reading, here with torch's own statistics of no images at all, is compared with itself."""
    arguments = {"name": "vgg11_bn", "in_channels": 1, "image_size": 28, "classes": 10, "width": 0.0625}
    torch.manual_seed(0)
    network = build_network(**arguments)
    save_training(tmp_path, [network, network], arguments)
    measured = measure_activation_spectra(Given(probe=PROBE, checkpoints=tmp_path, dataset=mnist5k))
    for reading in ("batch", "estimated"):
        found = ratios_of(measured, state="init", batch_norm=reading)
        assert all(values == pytest.approx([1] * 4, rel=1e-12) for values in found.values())
    wavenumber = {(row["batch_norm"], row["operation"]): row["mean_wavenumber"] for row in measured.summary}
    trained = ratios_of(measured, state="trained")
    assert trained["relu2"][0] == pytest.approx(wavenumber["running", "relu2"] / wavenumber["batch", "relu2"])
    assert abs(trained["relu2"][0] - 1) > 0.001


def test_weights_without_an_init_have_no_ratio(mnist5k, training, tmp_path):
    trained = list_checkpoints(training)[-1]
    network = build_network(**read_metadata(trained)["network"])
    save_checkpoint(network, tmp_path / "epoch0001.safetensors", {**read_metadata(trained), "weights": "package:mine"})
    measured = measure_activation_spectra(Given(probe=PROBE, checkpoints=tmp_path, dataset=mnist5k))
    found = ratios_of(measured, state="trained")
    assert list(found) == ["input", "conv1", "relu1", "pool1"] and np.isnan(list(found.values())).all()


def net(name, architecture, ratios, half=0.01, relu=1.1, estimated=None, **columns):
    """A sequence of convolutions and ReLUs; each ReLU multiplies the mean wavenumber by ``relu``."""
    shared = {"net": name, "seed": 0, "architecture": architecture, "imported": False, "mean_wavenumber_white": 9.0}
    rows, wavenumber = [], 3.0
    for place, ratio in enumerate(ratios):
        factor = relu[place] if np.ndim(relu) else relu
        for kind, by in (("conv", 1 / 1.2), ("relu", factor)):
            wavenumber *= by
            index = 2 * place + 1 + (kind == "relu")
            row = {"kind": kind, "operation": f"{kind}{place + 1}", "operation_index": index}
            row |= with_interval("mean_wavenumber", wavenumber, half)
            rows.append(
                {"state": "trained", "batch_norm": "none", **row, **with_interval("ratio_to_init", ratio, half)}
            )
            if estimated:
                row["mean_wavenumber"] = wavenumber / (ratio * estimated)
                rows.append(
                    {"state": "init", "batch_norm": "estimated", **row, **with_interval("ratio_to_init", 1.0, half)}
                )
    return [{**shared, **row, **columns} for row in rows]


def summary_of(*nets):
    return {"activation_spectra_summary": [row for rows in nets for row in rows]}


CASES = {
    "8a training": (lambda x, half: summary_of(net("deep", "vgg11", spread_about(x, half))), 0.7, 1.4, 1.0),
    "8a relu": (lambda x, half: summary_of(net("deep", "vgg11", [1.0] * 6, relu=spread_about(x, half))), 1.2, 0.8, 1.0),
    "8b": (
        lambda x, half: summary_of(
            net("deep", "vgg11", [0.8, 0.5], half), net("one", "one_hidden_layer_cnn", [0.8 * x], half)
        ),
        1.5,
        None,
        1.0,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_question_reaches_every_answer(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_what_training_does_is_told_by_depth(tmp_path):
    row = decided("8a training", tmp_path, summary_of(net("vgg11", "vgg11", [2.0, 0.9, 0.5])))
    assert (
        "by depth, of convolutions with maps of at least 4 pixels: 2 after the first convolution of VGG11" in row.reason
    )
    assert row.reason.endswith("0.5 after the last, below 1 after 2 of 3")


def test_lenet_is_neither_deep_nor_of_one_convolution(tmp_path):
    deep, lenet = net("deep", "vgg11", [0.8, 0.8]), net("lenet", "lenet", [9.0, 9.0])
    one = net("mine", "my.nets:mine", [0.4])
    row = decided("8b", tmp_path, summary_of(deep, lenet, one))
    assert row.measured == pytest.approx(0.5)
    assert row.reason == "mine alone; over the mean of all convolutions of deep nets: 0.5 in mine"
    assert "one convolution" in decided("8b", tmp_path, summary_of(deep, lenet)).reason


def test_relus_after_a_sum_are_not_compared_with_what_was_computed_before(tmp_path):
    row = decided("8a relu", tmp_path, summary_of(net("resnet", "resnet18", [0.8, 0.8])))
    assert np.isnan(row.measured) and "plain sequences" in row.reason


def test_the_caption_says_what_training_and_relus_do(tmp_path):
    deep = net("vgg11_bn", "vgg11_bn", [0.9, 0.5], estimated=0.5)
    text = said("activation_spectra", tmp_path, summary_of(deep, net("one", "one_hidden_layer_cnn", [1.2])))
    assert "0.671 in VGG11 BN and 1.2 in one" in text and "lowers it in 1 of 2 nets" in text
    assert (
        "after conv2 of VGG11 BN, by a factor of 0.5" in text
        and "once on training images it would be 0.335 in VGG11 BN" in text
    )
    assert "ReLUs of trained nets change it by a factor of 1.1 in VGG11 BN" in text and "seeds" not in text
    several = [{**row, "seed": seed} for seed in range(3) for row in deep]
    assert "geometric means over 3 seeds" in said("activation_spectra", tmp_path, summary_of(several))
    many = [net(f"net{place}", "vgg11", [0.5 + 0.1 * place] * 2) for place in range(8)]
    assert "0.5 (net0) to 1.2 (net7) in 8 nets" in said("activation_spectra", tmp_path, summary_of(*many))


def test_the_caption_of_imported_weights_says_what_they_are_compared_with(tmp_path):
    drawn = net("mine", "my.nets:vgg_mine", [0.9, 0.7, 0.5], imported=True)
    assert "drawn anew" in said("activation_spectra", tmp_path, summary_of(drawn))
    one = net("one", "one_hidden_layer_cnn", [0.9])
    for name in ("8a training", "8b"):
        assert decided(name, tmp_path, summary_of(drawn, one)).reason.endswith("; against weights drawn anew in mine")
    alone = [row | {"ratio_to_init": np.nan} for row in drawn]
    text = said("activation_spectra", tmp_path, summary_of(alone))
    assert "nothing to compare with" in text and "white noise has 9.0" in text
