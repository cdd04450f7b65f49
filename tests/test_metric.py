"""R followed during training."""

import pytest
import torch
from torch import nn

from diffeo_stability import InputError, RelativeStabilityMetric, relative_stability

IMAGES = torch.rand(30, 2, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * 12 * 12, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def test_it_measures_the_model_as_it_is_now_on_the_images_that_it_was_given(model):
    metric = RelativeStabilityMetric(model, resamples=50)
    for batch in IMAGES.split(8):
        metric.update(batch)
    expected = relative_stability(model, IMAGES, seed=0, resamples=50)
    assert metric.measure() == expected and float(metric.compute()) == expected.relative.value
    with torch.no_grad():
        model[1].weight[:, ::2] = 0
    changed = relative_stability(model, IMAGES, seed=0, resamples=50)
    assert changed != expected and float(metric.compute()) == changed.relative.value


def test_it_leaves_the_training_as_it_would_have_been(model):
    metric = RelativeStabilityMetric(model.train(), resamples=50)
    state = torch.random.get_rng_state()
    metric.update(IMAGES.clone().requires_grad_())
    value = metric.compute()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training and model[3].training and all(weight.grad is None for weight in model.parameters())
    assert value.ndim == 0 and not value.requires_grad


def test_it_keeps_the_first_images_and_no_more_than_it_may(model):
    metric = RelativeStabilityMetric(model, images=20, resamples=50)
    batch = IMAGES[:12].clone()
    metric.update(batch)
    batch.zero_()  # as a loader may that fills one buffer again and again
    metric.update(IMAGES[12:])
    metric.update(IMAGES)
    assert metric.measure() == relative_stability(model, IMAGES[:20], seed=0, resamples=50)


def test_reset_forgets_the_images(model):
    metric = RelativeStabilityMetric(model, resamples=50)
    metric.update(IMAGES)
    metric.reset()
    with pytest.raises(InputError, match=r"no images to measure on: call update\(images\)"):
        metric.measure()
    metric.update(IMAGES[:10])
    assert metric.measure().images == 10


def test_settings_are_those_of_the_measure(model):
    metric = RelativeStabilityMetric(model, displacement=0.5, cutoff=2, noise_norm="per_image", seed=3, resamples=50)
    metric.update(IMAGES)
    settings = {"displacement": 0.5, "cutoff": 2, "noise_norm": "per_image", "seed": 3, "resamples": 50}
    assert metric.measure() == relative_stability(model, IMAGES, **settings)


def test_what_it_cannot_keep_is_named(model):
    with pytest.raises(InputError, match="images is 1: it must be a whole number of at least 2"):
        RelativeStabilityMetric(model, images=1)
    metric = RelativeStabilityMetric(model)
    with pytest.raises(InputError, match=r"must be \(batch, channels, n, n\)"):
        metric.update(IMAGES[0])
    with pytest.raises(InputError, match="floating point"):
        metric.update(IMAGES.byte())
    with pytest.raises(InputError, match="images are of type ndarray: update takes a tensor"):
        metric.update(IMAGES.numpy())
    with pytest.raises(InputError, match="model is of type str"):
        RelativeStabilityMetric("resnet18")


def test_settings_are_refused_before_a_training_not_after_its_first_epoch(model):
    wrong = {
        "displacement": 0,
        "cutoff": 1,
        "interpolation": "cubic",
        "noise_norm": "own",
        "batch_norm": "own",
        "batch_size": 0,
    }
    for name, value in {**wrong, "resamples": 0, "confidence": 1, "seed": "a"}.items():
        with pytest.raises(InputError, match=f"{name} is "):
            RelativeStabilityMetric(model, **{name: value})
    with pytest.raises(InputError, match="batch_norm='batch' looks at the parts"):
        RelativeStabilityMetric(model.forward, batch_norm="batch")


def test_it_stands_in_a_collection_of_torchmetrics(model):
    torchmetrics = pytest.importorskip("torchmetrics")
    seeds = {f"R{seed}": RelativeStabilityMetric(model, seed=seed, resamples=50) for seed in (0, 1)}
    collection = torchmetrics.MetricCollection({**seeds, "mean": torchmetrics.MeanMetric()})
    for batch in IMAGES.split(10):
        collection.update(images=batch, value=batch.mean())
    expected = {f"R{seed}": relative_stability(model, IMAGES, seed=seed, resamples=50) for seed in (0, 1)}
    found = collection.compute()
    assert {name: float(found[name]) for name in expected} == {
        name: stability.relative.value for name, stability in expected.items()
    }
    assert not list(collection.parameters()) and not collection.state_dict()
    with torch.no_grad():
        model[1].weight[:, ::2] = 0
    assert float(collection.compute()["R0"]) == relative_stability(model, IMAGES, seed=0, resamples=50).relative.value
    collection.reset()
    with pytest.raises(InputError, match="no images"):
        collection["R0"].measure()
