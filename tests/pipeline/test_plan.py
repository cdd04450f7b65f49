"""What a run consists of, from its configuration."""

import copy

import pytest
import yaml

from diffeo_stability.figures import FIGURES
from diffeo_stability.networks.settings import Recipe
from diffeo_stability.networks.training import steps_per_epoch
from diffeo_stability.pipeline.config import parse_config
from diffeo_stability.pipeline.plan import Plan

# of stability_vs_train_size, first_layer_filters, hidden_layer_pooling, scale_detection and noise_training, but for those of the
# networks themselves
OTHER_TRAININGS = 28  # of other sizes and widths, of the read-out alone, on other images, with noise


@pytest.fixture
def raw(root):
    return yaml.safe_load((root / "config" / "mnist5k.yaml").read_text())


def test_the_usual_train_size_is_trained_once(raw):
    plan = Plan(parse_config(raw))
    assert len(plan.trainings) == len(raw["networks"]) + OTHER_TRAININGS
    assert set(plan.measured("stability_vs_train_size")) & set(plan.measured("stability")) == {
        f"results/mnist5k/networks/{net}/seed0/stability.csv" for net in ("fully_connected_4", "lenet", "vgg11_bn")
    }


def test_seeds_multiply_trainings(raw):
    raw["seeds"] = [0, 1, 2]
    plan = Plan(parse_config(raw))
    assert len(plan.trainings) == 3 * (len(raw["networks"]) + OTHER_TRAININGS)
    assert len(set(plan.measured("stability"))) == 3 * len(raw["networks"])


def test_training_settings_change_only_with_what_decides_the_training(raw):
    before = Plan(parse_config(raw)).training_settings("lenet", "seed0")
    other = copy.deepcopy(raw)
    other["probe"]["images"] = 100
    other["networks"]["vgg11"]["width"] = 0.5
    assert Plan(parse_config(other)).training_settings("lenet", "seed0") == before
    other["networks"]["lenet"]["training"] = {"epochs": 3}
    assert Plan(parse_config(other)).training_settings("lenet", "seed0")["recipe"]["epochs"] == 3


def test_smaller_training_sets_reach_recipe_and_split(raw):
    settings = Plan(parse_config(raw)).training_settings("lenet", "seed0-400-images")
    assert settings["split"]["train_size"] == settings["recipe"]["train_size"] == 400


def steps_of(recipe):
    """Steps of a training by the code that trains."""
    return recipe["epochs"] * steps_per_epoch(recipe["train_size"], Recipe(**recipe))


@pytest.mark.parametrize("size", [63, 400, 1200, 5000])
def test_other_numbers_of_images_are_trained_for_as_many_steps(raw, size):
    raw["dataset"]["source"] = "mnist"  # which has more images than that
    raw["stability_vs_train_size"]["train_sizes"] = [size, 3600]
    raw["networks"]["lenet"]["training"] = {"epochs": 7, "batch_size": 100}
    plan = Plan(parse_config(raw))
    for net in ("lenet", "fully_connected_4"):
        usual = plan.training_settings(net, "seed0")["recipe"]
        other = plan.training_settings(net, f"seed0-{size}-images")["recipe"]
        assert usual["epochs"] == (7 if net == "lenet" else raw["training"]["epochs"])
        in_one_epoch = steps_of({**other, "epochs": 1})
        assert 0 <= steps_of(other) - steps_of(usual) < in_one_epoch
        assert {**other, "epochs": 0, "train_size": 0} == {**usual, "epochs": 0, "train_size": 0}


def test_a_figure_with_its_own_batches_trains_for_as_many_steps_too(raw):
    raw["training"]["batch_size"], raw["scale_detection"]["train_sizes"] = 50, [1024]
    raw["scale_detection"]["training"] = {"batch_size": 256, "crop_padding": 0}
    plan = Plan(parse_config(raw))
    usual, other = (
        plan.training_settings("vgg11_bn", variant)["recipe"] for variant in ("seed0", "seed0-two_points-1024-images")
    )
    assert 0 <= steps_of(other) - steps_of(usual) < steps_of({**other, "epochs": 1})


def test_a_figure_that_says_its_epochs_needs_no_usual_number_of_images(raw):
    for stem in FIGURES.keys() - {"scale_detection"}:
        raw.pop(stem, None)
    del raw["training"]["train_size"]
    raw["scale_detection"]["training"] = {"epochs": 5, "crop_padding": 0}
    recipe = Plan(parse_config(raw)).training_settings("lenet", "seed0-two_points-1024-images")["recipe"]
    assert recipe["epochs"] == 5


def test_every_figure_that_varies_the_number_of_images_has_the_same_trainings(raw):
    raw["first_layer_filters"] = {"networks": ["lenet"], "train_sizes": [400]}
    plan = Plan(parse_config(raw))
    assert plan.trainings_of("first_layer_filters")[0] in plan.trainings_of("stability_vs_train_size")
    assert plan.training_settings("lenet", "seed0-400-images")["recipe"]["epochs"] == 82  # 570 steps, 7 a pass


def test_figures_learn_which_known_images_a_run_is_on(raw):
    settings = Plan(parse_config(raw)).settings_of("stability_vs_error")
    assert settings["copy_of"] == "mnist5k" and "copy_of" not in Plan(parse_config(raw)).settings_of("stability")


def test_figures_that_are_not_configured_are_not_made(raw):
    kept = ("stability", "stability_vs_error")
    for stem in set(FIGURES) - set(kept):
        del raw[stem]
    plan = Plan(parse_config(raw))
    assert len(plan.trainings) == len(raw["networks"])
    assert plan.figures() == [f"figures/mnist5k/{stem}.{kind}" for stem in kept for kind in ("pdf", "png")]


def test_files_of_a_figure_follow_its_networks_sizes_and_seeds(raw):
    raw["seeds"] = [0, 7]
    plan = Plan(parse_config(raw))
    assert plan.measured("operation_stability") == [
        f"results/mnist5k/networks/{net}/seed{seed}/operation_stability.csv"
        for net in raw["operation_stability"]["networks"]
        for seed in (0, 7)
    ]
    assert plan.measured("first_layer_filters", "pictures") == [
        f"results/mnist5k/networks/vgg11_bn_9x9/{variant}/first_layer_filters.safetensors"
        for variant in ("seed0-400-images", "seed7-400-images", "seed0", "seed7")
    ]
    assert plan.read_by("noise_bump_images") == {
        "dataset": "data/mnist5k/images.safetensors",
        "checkpoints": "results/mnist5k/networks/vgg11_bn/seed0/checkpoints",
        "noise_curves_summary": "results/{run}/tables/noise_curves_summary.csv",
    }


def test_one_network_more_in_a_block_changes_no_other_measurement(raw):
    before = Plan(parse_config(raw)).settings_of("noise_curves")
    raw["noise_curves"]["networks"].append("resnet18")
    raw["stability_vs_train_size"]["train_sizes"].append(100)
    assert Plan(parse_config(raw)).settings_of("noise_curves") == before
    raw["noise_curves"]["norms"] += 1
    assert Plan(parse_config(raw)).settings_of("noise_curves") != before


def test_what_is_shown_alone_and_what_a_measurement_does_not_use_measures_nothing(raw):
    stems = ("channel_shuffling", "laplacian_spectra", "rotation_coupling", "deformations")

    def settings():
        plan = Plan(parse_config(raw))
        return [plan.settings_of(stem) for stem in stems], plan.drawn_with("channel_shuffling")

    measured, drawn = settings()
    raw["channel_shuffling"]["batch_norm"] = "kept"
    again, other = settings()
    assert again == measured and drawn != other == {"batch_norm": "kept"}
    raw["probe"]["images"] -= 1
    assert settings()[0][1:] == measured[1:]
    raw["probe"]["seed"] = 7
    assert all(now != then for now, then in zip(settings()[0], measured, strict=True))


def test_a_figure_names_the_images_that_it_was_made_from_if_there_are_any(raw):
    plan = Plan(parse_config(raw))
    without = {stem for stem in plan.stems if not plan.images_in(stem)}
    assert without == {stem for stem in plan.stems if not plan.read_by(stem) and FIGURES[stem].measured}
    assert "constant_filters" in without and plan.images_in("stability_vs_error") == "MNIST, 5,000 digits"
    assert plan.images_in("scale_detection") == "pairs of pixels"


def test_the_report_knows_every_training_and_the_history_of_those_that_are_trained_here(raw):
    raw["networks"]["mine"] = {"architecture": "lenet", "weights": "mine.pt"}
    raw["dataset"]["normalisation"] = "images"
    raw["seeds"] = [0, 1]
    plan = Plan(parse_config(raw))
    described = plan.described_trainings()
    assert [(one["network"], one["variant"]) for one in described] == list(plan.trainings)
    histories = {one["network"]: one["history"] for one in described}
    assert histories.pop("mine") is None and all(histories.values())
    assert plan.histories() == [
        f"{one.place('mnist5k')}/history.csv" for one in plan.trainings.values() if one.network != "mine"
    ]
    assert [one["seed"] for one in described if one["usual"] and one["network"] == "lenet"] == [0, 1]


def test_widths_and_trained_parts_have_trainings_of_their_own(raw):
    raw["hidden_layer_pooling"] = {"networks": ["one_hidden_layer_cnn"], "widths": [1.0, 2.0]}
    plan = Plan(parse_config(raw))
    folder = "results/mnist5k/networks/one_hidden_layer_cnn"
    variants = ("seed0", "seed0-read_out", "seed0-width2.0", "seed0-width2.0-read_out")
    assert plan.measured("hidden_layer_pooling") == [
        f"{folder}/{variant}/hidden_layer_pooling.csv" for variant in variants
    ]
    settings = plan.training_settings("one_hidden_layer_cnn", "seed0-width2.0-read_out")
    assert settings["network"]["width"] == 2.0 and settings["recipe"]["trained_part"] == "read_out"
    usual = plan.training_settings("one_hidden_layer_cnn", "seed0")
    assert usual["network"]["width"] == 1.0 and usual["recipe"]["trained_part"] == "all"
