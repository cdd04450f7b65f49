"""Scale detection: what is moved and measured, in closed form; claims and caption."""

import numpy as np
import pandas as pd
import pytest
import torch
from claiming import decided, reaches_every_verdict, said, spread_about
from trainings import SPLIT, write_training

from diffeo_stability.data.prepare import prepare_dataset
from diffeo_stability.data.settings import TwoPoints
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.scale_detection.measurement import measure_scale_detection, with_moved_pairs
from diffeo_stability.figures.settings import Probe

TASK = TwoPoints(train_images=400, test_images=200)
PROBE = Probe(images=80, resamples=100)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return prepare_dataset("two_points", tmp_path_factory.mktemp("data"), two_points=TASK.model_dump())


def test_moved_images_have_their_pixels_next_to_where_they_were(pairs):
    moved = with_moved_pairs(pairs, TASK, 0)
    assert torch.equal(moved.mean, pairs.mean) and torch.equal(moved.train_images, pairs.train_images)
    near = torch.nn.functional.max_pool2d(pairs.test_images.float(), 3, stride=1, padding=1)
    assert (moved.test_images <= near).all()
    same = (moved.test_images == pairs.test_images).flatten(1).all(1)
    assert same.sum() <= 4  # in corners, or where two pixels change places


def test_a_training_is_measured_on_pixels_that_move(pairs, tmp_path):
    def smoothed(network):
        network.conv1.weight.add_(network.conv1.weight.mean((-2, -1), keepdim=True))

    folder = write_training(tmp_path, smoothed, name="lenet", classes=2)
    measured = measure_scale_detection(Given(probe=PROBE, two_points=TASK, checkpoints=folder, dataset=pairs))
    table = pd.DataFrame(measured.table)
    assert table.groupby("state", sort=False).operation.first().to_dict() == {"init": "conv1", "trained": "conv1"}
    assert table.test_error.between(0, 1).all() and set(table.train_size.dropna()) == {SPLIT["train_size"]}
    assert table.depth.max() == 1 and (table.D_low <= table.D).all() and (table.G > 0).all()
    components = pd.DataFrame(measured.summary)
    first = components[components.layer == "conv1"].set_index("eigenvalue").ratio
    assert first.iloc[0] == pytest.approx(4, rel=1e-5) and first.iloc[1:].tolist() == pytest.approx(
        [1] * (len(first) - 1)
    )
    assert components[components.layer == "conv2"].ratio.tolist() == pytest.approx(
        [1] * (components.layer == "conv2").sum(), rel=1e-5
    )


def rows_of(deformation=0.5, noise=2.0, half=0.0, net="lenet", error=0.01, seed=0, **columns):
    """Rows of a net whose D and G change by factors over its depth."""
    scatter = half * np.array([1, -1, 0, 0, -1, 1])  # no slope of its own
    shared = {
        "net": net,
        "seed": seed,
        "state": "trained",
        "batch_norm": "none",
        "train_size": 1024,
        "test_error": error,
        "test_error_high": error + 0.01,
        **columns,
    }
    return [
        {
            **shared,
            "operation_index": index + 1,
            "D": deformation ** (index / 5) * np.exp(s),
            "G": noise ** (index / 5) * np.exp(s),
        }
        for index, s in enumerate(scatter)
    ]


def filters(gain=2.0, half=0.0, net="lenet", seed=0):
    """Components of six convolutions, the constant one of which gains by a factor, and the roughest stays."""
    shared = {"net": net, "seed": seed, "train_size": 1024, "filter_size": 3}
    return [
        {**shared, "layer_index": layer, "eigenvalue": eigenvalue, "ratio": ratio}
        for layer, value in enumerate(spread_about(gain, half), start=1)
        for eigenvalue, ratio in ((0.0, value), (6.0, 1.0))
    ]


def tables(rows, components):
    return {"scale_detection": rows, "scale_detection_summary": components}


CASES = {
    "19a": (lambda x, half: tables(rows_of(deformation=x, half=half), filters()), 0.3, 3.0, 1.0),
    "19b": (lambda x, half: tables(rows_of(noise=x, half=half), filters()), 3.0, 0.3, 1.0),
    "19c": (lambda x, half: tables(rows_of(), filters(x, half)), 3.0, 0.3, 1.0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_reaches_every_verdict(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_only_nets_that_have_learnt_the_task_count_and_the_others_are_named(tmp_path):
    rows = [*rows_of(), *rows_of(3.0, 0.3, net="vgg11", error=0.2)]
    both = tables(rows, [*filters(), *filters(0.5, net="vgg11")])
    for name in CASES:
        row = decided(name, tmp_path, both)
        assert row.verdict == "reproduced"
        assert row.reason == "LeNet alone; not counted, as they have not learnt the task: VGG11"
    text = said("scale_detection", tmp_path, both)
    assert (
        "20% in VGG11" in text
        and "as not every seed's error is surely below 10%: VGG11." in text
        and "in the one net" in text
    )
    few = [row for row in filters(net="vgg11") if row["layer_index"] <= 2]
    row = decided("19c", tmp_path, tables([*rows_of(), *rows_of(net="vgg11")], [*filters(), *few]))
    assert row.reason == "LeNet alone; fewer than three convolutions, and not counted: VGG11"
    none = tables(rows_of(error=0.5), filters())
    assert decided("19c", tmp_path, none).reason == "the run has no net that has learnt the task"
    assert said("scale_detection", tmp_path, none).endswith("error is surely below 10%: LeNet.")


def test_the_caption_speaks_of_one_net_and_of_several(tmp_path):
    text = said("scale_detection", tmp_path, tables(rows_of(), filters()))
    assert text.startswith("Trained on 1,024 images, the error is 1.0% in LeNet.")
    assert "straight lines through the logarithms" in text
    assert "by a factor of 0.5 in LeNet (it falls in the one net)" in text and "a factor of 2 in LeNet" in text
    drawn = [
        rows_of(x, y, state="init", batch_norm=how) for x, y, how in ((0.9, 1.1, "batch"), (0.8, 1.2, "estimated"))
    ]
    unlearnt = [*rows_of(net="vgg11", error=0.5), *rows_of(0.1, 9.0, net="vgg11", state="init")]
    text = said("scale_detection", tmp_path, tables([*rows_of(), *drawn[0], *drawn[1], *unlearnt], filters()))
    assert (
        "At init :math:`D_k` changes by 0.9 in LeNet and :math:`G_k` by 1.1 in LeNet; with batch-norm estimated once on training "
        "images, by 0.8 in LeNet and by 1.2 in LeNet."
    ) in text
    several = [
        row for seed in range(2) for row in (*rows_of(seed=seed), *rows_of(2.0, 0.5, net="vgg11", error=0.0, seed=seed))
    ]
    text = said("scale_detection", tmp_path, tables(several, filters()))
    assert (
        "it falls in 1 of 2 nets" in text
        and "Over 2 seeds, errors are arithmetic means and factors geometric ones." in text
        and "0% in VGG11" in text
    )
