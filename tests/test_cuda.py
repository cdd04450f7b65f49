"""On a GPU: what the processor gives, for the same seed; trainings that repeat and go on; the command."""

import copy
import csv
from functools import partial

import pytest
import torch
from PIL import Image
from torch import nn
from trainings import same, weights

from diffeo_stability import (
    RelativeStabilityMetric,
    build_network,
    deform,
    laplacian_spectrum,
    radial_power_spectrum,
    relative_stability,
    stability_by_operation,
)
from diffeo_stability.__main__ import main
from diffeo_stability.core.cropping import views_of
from diffeo_stability.core.neurons import measure_responses, unit_transformations
from diffeo_stability.data.datasets import split_dataset
from diffeo_stability.networks import training
from diffeo_stability.networks.settings import Recipe

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

NETWORK = {"name": "vgg11_bn", "in_channels": 1, "image_size": 28, "classes": 10, "width": 0.03}


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def images():
    return torch.rand(32, 3, 32, 32, generator=seeded(), dtype=torch.float64)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build_network("vgg11_bn", 3, 32, 10, width=0.125).double().eval()


@pytest.fixture
def exact(monkeypatch):
    """Torch as jobs set it: the same numbers at every run."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "gaussian"])
def test_deformed_images_are_the_same(images, interpolation):
    here, there = (deform(x, interpolation=interpolation, generator=seeded()) for x in (images, images.cuda()))
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), here)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_images_keep_their_dtype(images, dtype):
    deformed = deform(images.to("cuda", dtype), generator=seeded())
    assert deformed.is_cuda and deformed.dtype == dtype
    torch.testing.assert_close(deformed.cpu(), deform(images.to(dtype), generator=seeded()), atol=0.01, rtol=0)


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_relative_stability_is_the_same_wherever_the_images_are(images, network, where):
    here = relative_stability(network, images, seed=0)
    there = relative_stability(copy.deepcopy(network).cuda(), images.to(where), seed=0)
    for name in ("deformation", "noise", "relative"):
        for part in ("value", "low", "high"):
            assert getattr(getattr(there, name), part) == pytest.approx(getattr(getattr(here, name), part), rel=1e-6)


def test_a_generator_of_the_gpu_is_a_source_of_randomness(images, network):
    network.cuda()
    first, second = (
        relative_stability(network, images, generator=torch.Generator("cuda").manual_seed(1)) for _ in range(2)
    )
    assert first.relative == second.relative
    assert relative_stability(network, images).relative.value > 0


def test_every_operation_is_the_same(images, network):
    here = stability_by_operation(network, images, seed=0)
    there = stability_by_operation(copy.deepcopy(network).cuda(), images, seed=0)
    assert list(there) == list(here)
    for name in here:
        assert there[name].relative.value == pytest.approx(here[name].relative.value, rel=1e-6)


@pytest.mark.parametrize("batch_norm", ["running", "batch"])
def test_float32_is_near(images, network, batch_norm):
    network, images = network.float(), images.float()
    here = relative_stability(network, images, seed=0, batch_norm=batch_norm)
    there = relative_stability(copy.deepcopy(network).cuda(), images, seed=0, batch_norm=batch_norm)
    assert there.relative.value == pytest.approx(here.relative.value, rel=0.01)


def test_the_metric_follows_a_model_on_the_gpu(images, network):
    metric = RelativeStabilityMetric(network.cuda(), images=20)
    metric.update(images.cuda())
    assert float(metric.compute()) == pytest.approx(
        relative_stability(network, images[:20], seed=0).relative.value, rel=1e-6
    )


def test_spectra_are_the_same(images):
    filters = torch.randn(8, 3, 9, 9, generator=seeded(), dtype=torch.float64)
    for measure, values in ((radial_power_spectrum, images), (laplacian_spectrum, filters)):
        here, there = measure(values), measure(values.cuda())
        for a, b in zip(here, there, strict=True):
            torch.testing.assert_close(torch.as_tensor(b).cpu(), torch.as_tensor(a))


def test_neurons_that_are_fed_their_receptive_fields_are_the_same(images):
    torch.manual_seed(0)
    network = build_network("vgg11", 3, 32, 10, width=0.0625).double().eval()

    def moved(network, images):
        views = views_of(network, nn.ReLU, 32, 3)
        places = {name: view.places[:2] for name, view in views.items()}
        transformations = unit_transformations(len(images), seeded())
        return {
            name: responses.moved.cpu()
            for name, responses in measure_responses(network, views, places, images, transformations).items()
        }

    here, there = moved(network, images), moved(copy.deepcopy(network).cuda(), images.cuda())
    for name in here:
        torch.testing.assert_close(there[name], here[name])


def test_the_command_measures_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in range(20):
        pixels = torch.randint(256, (32, 32, 3), generator=torch.Generator().manual_seed(number), dtype=torch.uint8)
        Image.fromarray(pixels.numpy()).save(tmp_path / f"{number:02d}.png")
    expected = ("--size", "32", "--mean", "0.5", "--std", "0.25", "--classes", "10")
    command, said = ["measure", "lenet", ".", "--untrained", *expected], {}
    for device in ("cpu", "cuda", "cuda:0"):
        assert main([*command, "--device", device, "--csv", "r.csv"]) == 0
        (row,) = csv.DictReader((tmp_path / "r.csv").read_text().splitlines())
        said[device] = {name: float(row[name]) for name in ("R", "R_low", "R_high", "D", "G")}
        (tmp_path / "r.csv").unlink()
    assert said["cuda"] == said["cuda:0"] == pytest.approx(said["cpu"], rel=0.01)


def recipe(**changes):
    return Recipe(
        **{"epochs": 4, "learning_rate": 0.05, "crop_padding": 2, "batch_size": 50, "channels_last": True, **changes}
    )


def train(folder, splits, **changes):
    return training.train_network(
        partial(build_network, **NETWORK),
        splits,
        recipe(**changes),
        folder,
        seed=0,
        checkpoints=4,
        metadata={"net": "tiny", "network": NETWORK},
        device="cuda",
    )


@pytest.fixture(scope="module")
def splits(mnist5k):
    return split_dataset(mnist5k, validation_images=100, seed=0, train_size=301)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_learns(splits, tmp_path, precision):
    history = train(tmp_path / "run", splits, epochs=12, precision=precision)
    assert history[-1].train_loss < history[1].train_loss
    assert history[-1].validation_error < 0.7
    assert all(tensor.device.type == "cpu" for tensor in weights(tmp_path / "run").values())


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(splits, tmp_path, monkeypatch, optimizer):
    settings = {"optimizer": optimizer, "learning_rate": 0.01, "momentum": 0.9}
    train(tmp_path / "whole", splits, **settings)
    train(tmp_path / "again", splits, **settings)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "again"))

    usual = training.train_epoch

    def killed_in_the_third(*arguments, epoch, **named):
        if epoch == 3:
            raise KeyboardInterrupt
        return usual(*arguments, epoch=epoch, **named)

    monkeypatch.setattr(training, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(training, "train_epoch", killed_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", splits, **settings)
    monkeypatch.setattr(training, "train_epoch", usual)
    assert len(train(tmp_path / "broken", splits, **settings)) == 5
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
