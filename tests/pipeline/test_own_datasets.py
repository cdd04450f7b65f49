"""Figures with a data set of their own: where it lies, who is trained on it, and what is refused."""

import copy

import pytest
import yaml

from diffeo_stability import InputError
from diffeo_stability.pipeline.config import parse_config
from diffeo_stability.pipeline.plan import Plan

TWO_POINTS = "data/two_points/images.safetensors"


@pytest.fixture
def raw(root):
    return yaml.safe_load((root / "config" / "mnist5k.yaml").read_text())


def test_its_trainings_and_measurements_read_it_and_all_others_the_runs(raw):
    plan = Plan(parse_config(raw))
    read = {variant: plan.dataset_of("lenet", variant) for net, variant in plan.trainings if net == "lenet"}
    on_pairs = {"seed0-two_points-1024-images", "seed0-two_points-2048-images"}
    assert {variant for variant, path in read.items() if path == TWO_POINTS} == on_pairs
    assert {path for variant, path in read.items() if variant not in on_pairs} == {"data/mnist5k/images.safetensors"}
    assert plan.read_by("scale_detection")["dataset"] == TWO_POINTS and plan.dataset != TWO_POINTS
    recipe = plan.trainings["lenet", "seed0-two_points-1024-images"].recipe
    assert (recipe.loss, recipe.epochs, recipe.train_size, recipe.crop_padding) == ("hinge", 8, 1024, 0)
    assert plan.dataset_settings("two_points")["two_points"]["xi"] == 14


def test_noise_reaches_the_training_and_where_errors_are_measured(raw):
    settings = Plan(parse_config(raw)).training_settings("lenet", "seed0-noise10")
    assert settings["recipe"]["noise"] == settings["split"]["noise"] == 10
    assert settings["recipe"]["epochs"] == 10


def test_two_figures_that_train_the_same_in_different_ways_are_named(raw):
    """The run's own data set is the figure's, but the figure's recipe is another one."""
    run = {key: raw[key] for key in ("run", "seeds", "training", "probe", "scale_detection")}
    run["networks"] = {"lenet": {"architecture": "lenet", "training": {"train_size": 1024}}}
    run["dataset"] = run["scale_detection"].pop("dataset")
    run["scale_detection"]["networks"] = ["lenet"]
    with pytest.raises(InputError, match="two figures train lenet on two_points in different ways"):
        Plan(parse_config(run))


def wrong(raw, change):
    changed = copy.deepcopy(raw)
    change(changed)
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw["scale_detection"].pop("dataset"), "the run's own images .mnist5k. are no pairs of pixels"),
        (lambda raw: raw["scale_detection"]["training"].pop("crop_padding"), "crops would cut active pixels off"),
        (lambda raw: raw["scale_detection"].update(train_sizes=[4096]), "4096 is more than 2048"),
        (lambda raw: raw["scale_detection"]["dataset"].update(name="mnist5k"), "another data set is called mnist5k"),
        (lambda raw: raw["scale_detection"]["dataset"].pop("two_points"), "two_points is missing"),
        (lambda raw: raw["dataset"].update(two_points={}), "source mnist5k has other images"),
        (
            lambda raw: raw["scale_detection"]["dataset"]["two_points"].update(test_images=100),
            "fewer than probe.images",
        ),
        (lambda raw: raw["noise_training"].update(noises=[1.0, 1.0]), "stands in the list more than once"),
        (lambda raw: raw["noise_training"].update(noises=[1.0, 1.0000001]), "alike in their first six digits"),
    ],
)
def test_what_cannot_be_is_said_when_the_run_is_planned(raw, change, message):
    with pytest.raises(InputError, match=message):
        parse_config(wrong(raw, change))
