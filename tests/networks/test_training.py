"""Training: seeds, breaks, augmentation, schedules, and that the test images have no say."""

import dataclasses
import math
import sys
from functools import partial

import pytest
import torch
from torch import nn
from trainings import same, weights

from diffeo_stability import InputError, build_network
from diffeo_stability.core.seeds import generator_for
from diffeo_stability.data.datasets import Dataset, split_dataset
from diffeo_stability.networks import training as training_module
from diffeo_stability.networks.batch_norm import estimate_batch_norm
from diffeo_stability.networks.batches import TrainingBatches
from diffeo_stability.networks.checkpoints import list_checkpoints, load_checkpoint, read_metadata
from diffeo_stability.networks.evaluation import error_rate
from diffeo_stability.networks.precision import computes_bfloat16, precision_on
from diffeo_stability.networks.progress import Progress
from diffeo_stability.networks.settings import Recipe
from diffeo_stability.networks.training import (
    freeze_all_but_read_out,
    learning_rate_at,
    log_spaced_epochs,
    mean_loss,
    train_network,
)

NETWORK = {"name": "vgg11_bn", "in_channels": 1, "image_size": 28, "classes": 10, "width": 0.03}


@pytest.fixture(scope="module")
def splits(mnist5k):
    return split_dataset(mnist5k, validation_images=100, seed=0, train_size=301)


def train(folder, splits, network=NETWORK, seed=0, **changes):
    recipe = Recipe(**{"epochs": 4, "learning_rate": 0.05, "crop_padding": 2, "batch_size": 50, **changes})
    return train_network(
        partial(build_network, **network),
        splits,
        recipe,
        folder,
        seed=seed,
        checkpoints=4,
        metadata={"net": "tiny", "network": network},
    )


def test_training_learns(splits, tmp_path):
    network = {**NETWORK, "name": "lenet", "width": 1.0}
    history = train(tmp_path / "checkpoints", splits, network, epochs=12, optimizer="adam", learning_rate=0.005)
    assert history[0].train_loss == pytest.approx(math.log(10), abs=0.2)
    assert history[-1].train_loss < 1.0 and history[-1].validation_error < 0.35
    trained, _ = load_checkpoint(list_checkpoints(tmp_path / "checkpoints")[-1])
    assert error_rate(trained, splits, splits.validation) == history[-1].validation_error


def test_all_training_images_can_be_trained_on(mnist5k, tmp_path):
    splits = split_dataset(mnist5k, validation_images=0, seed=0, label_count=2)
    network = {**NETWORK, "name": "lenet", "width": 1.0}
    history = train(tmp_path / "checkpoints", splits, network, epochs=2, optimizer="adam", learning_rate=0.005)
    assert len(splits.train) == int((mnist5k.train_labels < 2).sum())
    assert history[-1].train_error < 0.1 < history[0].train_error
    assert all(row.validation_error is None for row in history)
    assert read_metadata(list_checkpoints(tmp_path / "checkpoints")[-1])["validation_error"] is None


def test_same_seed_same_weights_other_seed_others(splits, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(ord(name))
        train(tmp_path / name, splits, network={**NETWORK, "name": "alexnet"}, seed=seed, epochs=2)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(splits, tmp_path, monkeypatch, optimizer, epoch):
    """Dies in the given epoch, before anything of it is saved, as from kill -9."""
    settings = {
        "network": {**NETWORK, "name": "alexnet"},
        "optimizer": optimizer,
        "learning_rate": 0.002,
        "channels_last": True,
    }
    whole = train(tmp_path / "whole", splits, **settings)
    train_epoch = training_module.train_epoch
    trained = []

    def dying(*arguments, epoch, **others):
        if epoch == fatal:
            raise KeyboardInterrupt
        trained.append(epoch)
        return train_epoch(*arguments, epoch=epoch, **others)

    monkeypatch.setattr(training_module, "train_epoch", dying)
    fatal = epoch
    with pytest.raises(KeyboardInterrupt, match=f"^at epoch {epoch} of 4$"):
        train(tmp_path / "broken", splits, **settings)
    assert not (tmp_path / "broken").exists()
    fatal = None
    # A write that was killed leaves its unfinished file behind, and a new process has another random state
    (tmp_path / "broken.partial" / ".resume.1.safetensors").write_bytes(b"half a file")
    torch.manual_seed(12345)
    history = train(tmp_path / "broken", splits, **settings)
    assert same(weights(tmp_path / "broken"), weights(tmp_path / "whole"))
    assert history == whole
    # Only what came after the last checkpoint was done twice, and no epoch from before it
    saved = max(kept for kept in log_spaced_epochs(4, 4) if kept < epoch)
    assert trained[len(range(1, epoch)) :] == list(range(saved + 1, 5))
    assert not (tmp_path / "broken.partial").exists()


def test_a_bar_is_named_by_network_and_variant_and_goes_on_where_the_training_does(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Progress(tmp_path / "lenet" / "seed0" / "checkpoints", 2, 4) as progress:
        assert list(progress) == [3, 4]
        progress.show(loss=0.5)
    shown = capsys.readouterr().err.split("\r")
    assert shown[1].startswith("lenet/seed0:  50%") and "2/4" in shown[1]
    assert "4/4" in shown[-1] and "loss=0.5" in shown[-1]


def test_a_break_of_other_settings_is_not_gone_on_from(splits, tmp_path, monkeypatch):
    monkeypatch.setattr(training_module.Path, "replace", _fail_for(tmp_path / "broken"))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", splits, epochs=1)
    monkeypatch.undo()
    train(tmp_path / "broken", splits, epochs=2, learning_rate=0.01)
    train(tmp_path / "whole", splits, epochs=2, learning_rate=0.01)
    assert same(weights(tmp_path / "broken"), weights(tmp_path / "whole"))


def _fail_for(target):
    replace = training_module.Path.replace

    def failing(source, destination):
        if destination == target:
            raise KeyboardInterrupt
        return replace(source, destination)

    return failing


def test_a_damaged_state_is_started_over(splits, tmp_path):
    partial_folder = tmp_path / "broken.partial"
    partial_folder.mkdir()
    (partial_folder / "resume.safetensors").write_bytes(b"half a file")
    train(tmp_path / "broken", splits, epochs=1)
    train(tmp_path / "whole", splits, epochs=1)
    assert same(weights(tmp_path / "broken"), weights(tmp_path / "whole"))


def test_a_bit_that_flipped_in_the_state_is_noticed(splits, tmp_path, monkeypatch, caplog):
    """One bit of the weights, in a file that is a valid one still."""
    network = {**NETWORK, "name": "lenet", "width": 0.5}
    train(tmp_path / "whole", splits, network, epochs=2)
    monkeypatch.setattr(training_module, "train_epoch", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", splits, network, epochs=2)
    monkeypatch.undo()
    state = tmp_path / "broken.partial" / "resume.safetensors"
    content = bytearray(state.read_bytes())
    content[-1000] ^= 1
    state.write_bytes(content)
    train(tmp_path / "broken", splits, network, epochs=2)
    assert "resume.safetensors is damaged: the training begins anew" in caplog.text
    assert same(weights(tmp_path / "broken"), weights(tmp_path / "whole"))


def _interrupted(*_, **__):
    raise KeyboardInterrupt


def test_checkpoints_are_at_init_log_spaced_epochs_and_the_end(splits, tmp_path):
    train(tmp_path / "checkpoints", splits, epochs=4)
    metadata = [read_metadata(path) for path in list_checkpoints(tmp_path / "checkpoints")]
    assert [entry["epoch"] for entry in metadata] == [0, 1, 2, 4]
    assert [entry["step"] for entry in metadata] == [0, 7, 14, 28]
    assert all({"seed", "net", "network", "sha256"} <= entry.keys() for entry in metadata)
    initial = load_checkpoint(list_checkpoints(tmp_path / "checkpoints")[0])[0]
    torch.random.manual_seed(training_module.derive_seed("weights", 0))
    assert torch.equal(initial.conv1.weight, build_network(**NETWORK).conv1.weight)


@pytest.mark.parametrize(
    ("epochs", "count", "expected"),
    [(0, 6, [0]), (1, 6, [0, 1]), (10, 2, [0, 10]), (10, 6, [0, 1, 2, 3, 6, 10]), (250, 5, [0, 1, 6, 40, 250])],
)
def test_log_spaced_epochs(epochs, count, expected):
    assert log_spaced_epochs(epochs, count) == expected


def test_no_epochs_keeps_the_untrained_network(splits, tmp_path):
    history = train(tmp_path / "checkpoints", splits, epochs=0)
    assert len(history) == 1 and len(list_checkpoints(tmp_path / "checkpoints")) == 1


def test_batch_norm_at_init_has_the_statistics_of_the_training_images(splits):
    torch.manual_seed(0)
    network = build_network(**{**NETWORK, "width": 0.125})
    estimate_batch_norm(network, splits)
    images = splits.normalise(splits.train.images)
    activations = network.conv1(network.pad1(images))
    torch.testing.assert_close(network.batchnorm1.running_mean, activations.mean((0, 2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network.batchnorm1.running_var, activations.var((0, 2, 3)), rtol=1e-3, atol=1e-4)
    assert network.batchnorm1.momentum == 0.1


def test_batch_norm_estimates_need_no_batch_of_one_image(mnist5k):
    splits = split_dataset(mnist5k, validation_images=100, seed=0, train_size=501)
    network = nn.Sequential(nn.Conv2d(1, 2, 28), nn.BatchNorm2d(2))
    estimate_batch_norm(network, splits)
    values = network[0](splits.normalise(splits.train.images))
    torch.testing.assert_close(network[1].running_mean, values.mean((0, 2, 3)), rtol=1e-2, atol=1e-2)


def test_test_images_have_no_say(splits, tmp_path):
    poisoned = dataclasses.replace(
        splits,
        test=dataclasses.replace(
            splits.test, images=torch.zeros(0, 1, 28, 28, dtype=torch.uint8), labels=torch.zeros(0)
        ),
    )
    train(tmp_path / "with", splits, epochs=2)
    train(tmp_path / "without", poisoned, epochs=2)
    assert same(weights(tmp_path / "with"), weights(tmp_path / "without"))


def test_nan_loss_stops_with_the_remedy(splits, tmp_path):
    with pytest.raises(InputError, match=r"loss became (nan|inf) in epoch \d: lower training.learning_rate"):
        train(tmp_path / "checkpoints", splits, learning_rate=1e12, precision="float32", epochs=3)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.fault("one line")
def test_nan_at_init_is_no_fault_of_the_learning_rate(splits, tmp_path):
    poisoned = dataclasses.replace(splits, mean=splits.mean * math.nan)
    with pytest.raises(
        InputError, match="the loss is nan at init, before any step: .* dataset.normalisation"
    ) as caught:
        train(tmp_path / "checkpoints", poisoned)
    assert "learning_rate" not in str(caught.value) and not (tmp_path / "checkpoints").exists()


def test_precision_and_layout_change_little(splits, tmp_path):
    losses = []
    for name, precision, channels_last in (("a", "float32", False), ("b", "float32", True), ("c", "bfloat16", True)):
        settings = {"precision": precision, "channels_last": channels_last, "epochs": 1}
        losses.append(train(tmp_path / name, splits, **settings)[-1].train_loss)
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)
    assert losses[2] == pytest.approx(losses[0], rel=0.1)


def augmented(images, generator, **changes):
    """All images, in order, as a recipe augments them."""
    labels = torch.zeros(len(images), dtype=torch.int64)
    dataset = Dataset(images, labels, images[:1], labels[:1], ("a",))
    recipe = Recipe(epochs=1, learning_rate=0.1, **changes)
    return TrainingBatches(split_dataset(dataset, validation_images=0, seed=0), recipe).pixels(
        _in_order(images), generator
    )


def _in_order(images):
    """Where each image lies in a split, which takes them in an order of its own."""
    return torch.randperm(len(images), generator=generator_for("split", 0)).argsort()


def test_precision_is_the_devices_own_where_nothing_else_is_asked_for(splits, tmp_path):
    device = torch.device("cpu")
    assert precision_on(device, "float32") == "float32" and precision_on(device, "bfloat16") == "bfloat16"
    train(tmp_path / "net", splits, {**NETWORK, "name": "lenet"}, epochs=1)
    used = read_metadata(list_checkpoints(tmp_path / "net")[-1])["precision"]
    assert used == precision_on(device, "auto") == ("bfloat16" if computes_bfloat16(device) else "float32")


def test_crops_are_shifts_of_the_image_with_a_black_margin(generator):
    images = torch.arange(1, 51, dtype=torch.uint8).reshape(1, 2, 5, 5).repeat(200, 1, 1, 1)
    crops = augmented(images, generator, crop_padding=2)
    padded = nn.functional.pad(images[0], (2, 2, 2, 2))
    possible = {tuple(padded[:, r : r + 5, c : c + 5].flatten().tolist()) for r in range(5) for c in range(5)}
    seen = {tuple(crop.flatten().tolist()) for crop in crops}
    assert seen <= possible and len(seen) > 20


def test_a_batch_is_cropped_before_it_is_mirrored_and_keeps_its_labels(mnist5k):
    """The same numbers from the generator, one step after the other."""
    splits = split_dataset(mnist5k, validation_images=0, seed=0)
    recipe = Recipe(epochs=1, learning_rate=0.1, crop_padding=3, horizontal_flip=True)
    index = torch.tensor([5, 0, 17, 5])
    pixels, labels = TrainingBatches(splits, recipe).take(index, generator_for("a"))
    draws = generator_for("a")
    offsets, mirrored = torch.randint(7, (2, 4, 1), generator=draws), torch.rand(4, generator=draws) < 0.5
    for k, number in enumerate(index):
        padded = nn.functional.pad(splits.train.images[number], (3, 3, 3, 3))
        crop = padded[:, offsets[0, k, 0] : offsets[0, k, 0] + 28, offsets[1, k, 0] : offsets[1, k, 0] + 28]
        expected = crop.flip(-1) if mirrored[k] else crop
        assert torch.equal(pixels[k], splits.normalise(expected[None])[0])
    assert labels.tolist() == splits.train.labels[index].tolist()


def test_half_of_the_images_are_mirrored(generator):
    images = torch.randint(256, (2000, 1, 4, 4), generator=generator, dtype=torch.uint8)
    flipped = augmented(images, generator, horizontal_flip=True)
    mirrored = (flipped == images.flip(-1)).all((1, 2, 3))
    assert (mirrored | (flipped == images).all((1, 2, 3))).all()
    assert 900 < mirrored.sum() < 1100


def test_the_hinge_loss_has_known_values():
    logits = torch.tensor([[0.0, 3.0], [0.0, 3.0], [0.5, 0.0]])
    # Beyond the margin; wrong by 3, so 1 + 3; right by half, so 1 - 0.5
    assert mean_loss("hinge", logits, torch.tensor([1, 0, 0])).item() == pytest.approx((0 + 4 + 0.5) / 3)
    three = torch.tensor([[1.0, 0.5, -2.0]])
    assert mean_loss("hinge", three, torch.tensor([0])).item() == pytest.approx(0.5)


def test_noise_has_its_norm_and_counts_in_training_and_errors(mnist5k, tmp_path):
    loud = split_dataset(mnist5k, validation_images=100, seed=0, train_size=300, noise=60.0)
    images = loud.train.images
    noise = loud.shown(images, generator_for("a")) - loud.normalise(images)
    assert noise.flatten(1).norm(dim=1).square().mean().sqrt().item() == pytest.approx(60, rel=0.02)
    assert torch.equal(noise, loud.shown(images, generator_for("a")) - loud.normalise(images))
    quiet = dataclasses.replace(loud, noise=0.0)
    network = {**NETWORK, "name": "fully_connected_2", "width": 0.1}
    settings = {"network": network, "epochs": 5, "optimizer": "adam", "learning_rate": 0.005, "crop_padding": 0}
    for name, splits in (("loud", loud), ("quiet", quiet)):
        train(tmp_path / name, splits, **settings, noise=splits.noise)
    trained = {name: load_checkpoint(list_checkpoints(tmp_path / name)[-1])[0] for name in ("loud", "quiet")}
    assert not same(trained["loud"].state_dict(), trained["quiet"].state_dict())
    with pytest.raises(InputError, match="the recipe asks for noise of norm 5, but the images come with 60"):
        train(tmp_path / "wrong", loud, **settings, noise=5.0)
    on_noise, without = (error_rate(trained["quiet"], splits, splits.test) for splits in (loud, quiet))
    assert on_noise > without + 0.05 and error_rate(trained["quiet"], loud, loud.test) == on_noise


def test_learning_rate_schedules():
    recipe = Recipe(epochs=1, learning_rate=2.0, schedule="cosine", warmup=0.2)
    assert [learning_rate_at(recipe, share) for share in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx([0, 1, 2, 1, 0])
    linear = Recipe(epochs=1, learning_rate=2.0, schedule="linear")
    assert [learning_rate_at(linear, share) for share in (0, 0.25, 1)] == pytest.approx([2, 1.5, 0])
    constant = Recipe(epochs=1, learning_rate=2.0, schedule="constant")
    assert learning_rate_at(constant, 0.9) == 2.0


def test_training_the_read_out_alone_leaves_everything_else_bit_identical(splits, tmp_path):
    """Also statistics of batch-norm, which a forward pass in training mode would move."""
    train(tmp_path / "checkpoints", splits, trained_part="read_out")
    paths = list_checkpoints(tmp_path / "checkpoints")
    init, trained = (load_checkpoint(path)[0].state_dict() for path in (paths[0], paths[-1]))
    assert {name for name in init if not torch.equal(init[name], trained[name])} == {"linear1.weight", "linear1.bias"}


def test_a_network_without_a_linear_map_has_no_read_out_to_train():
    with pytest.raises(InputError, match="no linear map to train: set it to all"):
        freeze_all_but_read_out(nn.Conv2d(1, 10, 28))


SHARING = """
from torch import nn


class Net(nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        self.first = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        self.again = self.first
        self.tied = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        self.tied.weight = self.first.weight
        self.norm = nn.LazyBatchNorm2d()
        self.readout = nn.LazyLinear(classes)

    def forward(self, x):
        return self.readout(self.norm(self.tied(self.again(self.first(x)).relu())).flatten(1))


def net(in_channels, image_size, classes):
    return Net(in_channels, classes)
"""


RETURNING_MORE = """
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Output:
    features: torch.Tensor
    logits: torch.Tensor


class Net(nn.Linear):
    def __init__(self, sizes, kind):
        super().__init__(*sizes)
        self.kind = kind

    def forward(self, x):
        logits = super().forward(x.flatten(1))
        return {"dataclass": Output(x, logits), "dictionary": {"features": x, "logits": logits}, "tuple": (logits,)}[self.kind]


def net(kind):
    return lambda in_channels, image_size, classes: Net((in_channels * image_size**2, classes), kind)


dataclass_, dictionary, tuple_ = net("dataclass"), net("dictionary"), net("tuple")
"""


@pytest.mark.parametrize("function", ["dataclass_", "dictionary", "tuple_"])
def test_networks_that_return_more_than_logits_are_trained_and_measured(splits, tmp_path, monkeypatch, function):
    (tmp_path / "returning.py").write_text(RETURNING_MORE)
    monkeypatch.syspath_prepend(tmp_path)
    network = {"name": f"returning:{function}", "in_channels": 1, "image_size": 28, "classes": 10}
    history = train(tmp_path / "trained", splits, network, epochs=2)
    assert history[-1].train_loss < history[0].train_loss
    loaded, _ = load_checkpoint(list_checkpoints(tmp_path / "trained")[-1])
    assert set(loaded.state_dict()) == {"weight", "bias"}
    assert error_rate(loaded, splits, splits.test) < 0.9


def test_shared_tied_and_lazy_layers_are_trained_and_kept(splits, tmp_path, monkeypatch):
    """A layer under two names, a weight in two layers and layers without sizes; a broken training ends the same."""
    (tmp_path / "sharing.py").write_text(SHARING)
    monkeypatch.syspath_prepend(tmp_path)
    network = {"name": "sharing:net", "in_channels": 1, "image_size": 28, "classes": 10}
    history = train(tmp_path / "whole", splits, network, epochs=2)
    assert history[-1].train_loss < history[0].train_loss
    trained = weights(tmp_path / "whole")
    for other in ("again.weight", "tied.weight"):
        assert torch.equal(trained["first.weight"], trained[other])
    loaded, _ = load_checkpoint(list_checkpoints(tmp_path / "whole")[-1])
    assert loaded.tied.weight is loaded.first.weight and loaded.again is loaded.first
    monkeypatch.setattr(training_module, "SECONDS_BETWEEN_SAVES", 0.0)
    real, calls = training_module.train_epoch, []

    def stop_in_the_last_epoch(*arguments, **named):
        calls.append(named["epoch"])
        if calls.count(2) == 1 and named["epoch"] == 2:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(training_module, "train_epoch", stop_in_the_last_epoch)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", splits, network, epochs=2)
    train(tmp_path / "broken", splits, network, epochs=2)
    assert calls == [1, 2, 2] and same(weights(tmp_path / "broken"), trained)
