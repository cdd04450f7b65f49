"""D, G and R of a training; claims and caption."""

import numpy as np
import pytest
from claiming import decided, reaches_every_verdict, said, with_interval
from trainings import write_training

from diffeo_stability import build_network, relative_stability
from diffeo_stability.core.seeds import generator_for
from diffeo_stability.data.datasets import normalise, split_dataset
from diffeo_stability.data.probe import probe_images
from diffeo_stability.figures.measuring import load_network
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.figures.stability import Stability
from diffeo_stability.figures.stability.measurement import measure_stability
from diffeo_stability.networks.batch_norm import estimate_batch_norm
from diffeo_stability.networks.checkpoints import list_checkpoints, read_metadata, save_checkpoint
from diffeo_stability.networks.settings import Recipe
from diffeo_stability.networks.training import train_network


def test_a_training_is_measured_at_init_and_trained(mnist5k, tmp_path):
    network = {"name": "lenet", "in_channels": 1, "image_size": 28, "classes": 10}
    split = {"validation_images": 100, "seed": 0, "train_size": 200, "label_count": None}
    recipe = Recipe(epochs=2, learning_rate=0.02, batch_size=20, weight_decay=0.0)
    metadata = {"net": "mine", "network": network, "split": split}
    folder = tmp_path / "checkpoints"
    train_network(
        lambda: build_network(**network),
        split_dataset(mnist5k, **split),
        recipe,
        folder,
        seed=3,
        checkpoints=2,
        metadata=metadata,
    )
    probe = Probe(images=80, resamples=100)
    rows = measure_stability(Given(settings=Stability(), probe=probe, checkpoints=folder, dataset=mnist5k)).table
    assert [(row["net"], row["seed"], row["state"], row["epoch"]) for row in rows] == [
        ("mine", 3, "init", 0),
        ("mine", 3, "trained", 2),
    ]
    assert all(row["train_size"] == 200 and row["images"] == 80 for row in rows)
    trained, _ = load_network(list_checkpoints(folder)[-1], "cpu")
    by_hand = relative_stability(
        trained, probe_images(mnist5k, 80, 0), resamples=100, generator=generator_for("perturbations", 0)
    )
    assert rows[1]["R"] == by_hand.relative.value and rows[1]["G_high"] == by_hand.noise.high
    logits = trained(normalise(mnist5k.test_images, mnist5k.mean, mnist5k.std))
    error = (logits.argmax(1) != mnist5k.test_labels).double().mean()
    best, second = logits.topk(2).values.T
    undecided = (best - second < 1e-5 * logits.std()).double().mean()  # but for rounding, which batches change
    assert abs(rows[1]["test_error"] - error) <= undecided + 1e-9
    assert rows[1]["test_error_low"] < rows[1]["test_error"] < rows[1]["test_error_high"]


def test_an_untrained_net_is_measured_by_both_readings_of_batch_norm(mnist5k, tmp_path):
    folder = write_training(tmp_path, lambda network: None, name="vgg16_bn", width=0.0625)
    split = split_dataset(mnist5k, **read_metadata(list_checkpoints(folder)[0])["split"])
    for path in list_checkpoints(folder):
        network, metadata = load_network(path, "cpu")
        estimate_batch_norm(network, split)
        save_checkpoint(network, path, metadata)

    def rows_with(batch_size):
        probe = Probe(images=80, resamples=100, batch_size=batch_size)
        return measure_stability(Given(settings=Stability(), probe=probe, checkpoints=folder, dataset=mnist5k)).table

    rows = rows_with(80)
    assert [(row["state"], row["batch_norm"]) for row in rows] == [
        ("init", "batch"),
        ("init", "estimated"),
        ("trained", "running"),
    ]
    assert rows[0]["R"] > 1.1 * rows[1]["R"], "estimated statistics amplify noise, block by block"
    assert [row["R"] for row in rows_with(30)] == pytest.approx([row["R"] for row in rows], rel=1e-3)


def net(name, architecture, init, trained, half=0.01, **columns):
    """Rows of a net at init and trained."""
    shared = {"net": name, "seed": 0, "architecture": architecture, "filter_size": np.nan, "imported": False, **columns}
    return [
        {**shared, "state": state, "batch_norm": "none"}
        | {key: number for quantity in "RDG" for key, number in with_interval(quantity, value, half).items()}
        for state, value in (("init", init), ("trained", trained))
        if value is not None
    ]


CASES = {
    "1": (lambda x, half: {"stability": net("a", "vgg11", x, 1.0, half)}, 1.0, 5.0, 3.16),
    "2a": (lambda x, half: {"stability": net("a", "vgg11", 1.0, x, half)}, 0.5, 2.0, 1.0),
    "2b": (lambda x, half: {"stability": net("a", "my.nets:resnet_mine", 1.0, x, half)}, 0.5, 2.0, 1.0),
    "2c": (lambda x, half: {"stability": net("a", "fully_connected_2", 1.0, x, half)}, 3.0, 0.5, 1.0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_reaches_every_verdict(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_only_the_papers_deep_nets_count_and_the_median_decides(tmp_path):
    nets = [
        *net("vgg11", "vgg11", 1.0, 0.3),
        *net("resnet18", "resnet18", 1.0, 0.5),
        *net("alexnet", "alexnet", 1.0, 2.0),
        *net("lenet", "lenet", 1.0, 4.0),
        *net("wide", "vgg11_bn", 1.0, 5.0, filter_size=9),
        *net("one", "one_hidden_layer_cnn", 1.0, 6.0),
    ]
    row = decided("2b", tmp_path, {"stability": nets})
    assert row.measured == 0.5 and row.verdict == "reproduced"
    assert row.reason == "2 of 3 nets agree, not AlexNet (2)"


def test_nets_without_an_init_are_named_where_training_is_asked_for(tmp_path):
    nets = [*net("vgg11", "vgg11", 1.0, 0.3), *net("resnet18", "resnet18", None, 0.5)]
    row = decided("2a", tmp_path, {"stability": nets})
    assert row.reason == "VGG11 alone; not counted, as they have no init: ResNet18"


def test_nets_that_are_drawn_otherwise_than_the_papers_draw_them_are_named(tmp_path):
    nets = {"stability": [*net("vgg16", "vgg16", 1.0, 0.3), *net("vgg11", "vgg11", 1.0, 0.3)]}
    for name in ("1", "2a"):
        assert decided(name, tmp_path, nets).reason.endswith("; not the papers' init, but drawn by He's rule: VGG16")
    assert "The init of VGG16 is not the papers': it is drawn by He's rule" in said("stability", tmp_path, nets)
    others = {"stability": [row for row in nets["stability"] if row["net"] == "vgg11"]}
    assert "He's" not in decided("1", tmp_path, others).reason + said("stability", tmp_path, others)


def test_the_caption_says_which_nets_go_up_and_down(tmp_path):
    nets = [*net("lenet", "lenet", 1.0, 4.0), *net("vgg11", "vgg11", 0.9, 0.2)]
    text = said("stability", tmp_path, {"stability": nets})
    assert "0.20 in VGG11" in text and "lower than at init in 1 of 2 nets (not in LeNet)" in text and "seed" not in text
    several = [{**row, "seed": seed} for seed in range(3) for row in nets]
    assert "geometric means over 3 seeds" in said("stability", tmp_path, {"stability": several})


def test_the_caption_of_imported_weights_names_no_init_of_theirs(tmp_path):
    drawn = net("mine", "my.nets:mine", 1.0, 0.4, imported=True)
    assert "drawn anew" in said("stability", tmp_path, {"stability": drawn})
    known = net("other", "resnet18", 1.0, 0.4)
    both = {"stability": [*net("mine", "my.nets:resnet_mine", 1.0, 0.4, imported=True), *known]}
    assert decided("2a", tmp_path, both).reason == "2 of 2 nets agree; against weights drawn anew in mine"
    assert decided("1", tmp_path, both).reason == "2 of 2 nets agree"
    assert (
        "drawn" not in decided("2b", tmp_path, both).reason
        and "drawn" not in decided("2a", tmp_path, {"stability": known}).reason
    )
    alone = net("mine", "my.nets:mine", None, 0.4, imported=True)
    assert said("stability", tmp_path, {"stability": alone}) == "Trained, :math:`R_f` is 0.40 in mine."
