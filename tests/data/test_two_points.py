"""Pairs of pixels: labels by their distance, no pair twice, backgrounds, and moves of about a pixel."""

import itertools
import math

import pytest
import torch

from diffeo_stability.data.prepare import prepare_dataset
from diffeo_stability.data.settings import TwoPoints
from diffeo_stability.data.two_points import draw_images, draw_pairs, move_pairs, pairs_by_class

SMALL = {"size": 6, "xi": 3.0, "gap": 1.0, "train_images": 40, "test_images": 60}


def test_all_pairs_of_a_small_image_are_in_the_class_of_their_distance():
    near, far = pairs_by_class(TwoPoints(**SMALL))
    pixels = list(itertools.product(range(6), range(6)))
    distances = [math.dist(*pair) for pair in itertools.combinations(pixels, 2)]
    assert len(near) == sum(distance < 2.5 for distance in distances)
    assert len(far) == sum(distance >= 3.5 for distance in distances)


def test_the_largest_coordinate_can_be_the_distance():
    near, far = pairs_by_class(TwoPoints(**SMALL, norm="Linf"))
    assert near.diff(dim=1).abs().amax((1, 2)).max() == 2 and far.diff(dim=1).abs().amax((1, 2)).min() == 4


def test_classes_are_balanced_no_pair_is_there_twice_and_the_seed_decides(tmp_path):
    dataset = prepare_dataset("two_points", tmp_path, two_points=SMALL)
    assert dataset.classes == ("near", "far") and dataset.image_size == 6
    for part, count in (("train", 40), ("test", 60)):
        assert getattr(dataset, f"{part}_labels").bincount().tolist() == [count // 2, count // 2]
    images = torch.cat((dataset.train_images, dataset.test_images)).flatten(1)
    assert len(images.unique(dim=0)) == 100 and images.sum(1).unique().tolist() == [510]
    again = prepare_dataset("two_points", tmp_path, two_points=SMALL)
    assert torch.equal(again.train_images, dataset.train_images)
    other = prepare_dataset("two_points", tmp_path, two_points={**SMALL, "seed": 1})
    assert not torch.equal(other.train_images, dataset.train_images)


def test_pairs_are_counted_before_they_are_drawn_and_too_few_are_said_to_be():
    for task in (TwoPoints(**SMALL), TwoPoints(**SMALL, norm="Linf"), TwoPoints()):
        assert task.pairs() == tuple(map(len, pairs_by_class(task)))
    with pytest.raises(ValueError, match=r"need 500 near pairs, of which there are \d+: ask for fewer"):
        TwoPoints(**{**SMALL, "train_images": 900, "test_images": 100})


def test_noise_in_the_background_has_its_standard_deviation_and_stays_where_pixels_move():
    task = TwoPoints(size=28, background_noise=0.2)
    pairs, _ = draw_pairs(task)["test"]
    images = draw_images(pairs[:500], task, "test").double()
    background = images[images < 150]
    assert background.std().item() == pytest.approx(0.2 * 85, rel=0.05) and background.mean().item() == pytest.approx(
        85, rel=0.02
    )
    moved = draw_images(move_pairs(pairs[:500], 28, torch.Generator().manual_seed(0)), task, "test").double()
    assert (moved != images).flatten(1).sum(1).max() <= 4


def test_moves_are_unit_vectors_rounded_and_stay_in_the_image():
    corner, middle = torch.zeros(2000, 2, 2, dtype=torch.long), torch.full((2000, 2, 2), 5)
    generator = torch.Generator().manual_seed(0)
    steps = move_pairs(middle, 10, generator) - 5
    assert steps.abs().amax() == 1 and (steps.abs().sum(-1) > 0).all()
    # A third of all directions has two components of at least a half
    assert (steps.abs().sum(-1) == 2).double().mean().item() == pytest.approx(1 / 3, abs=0.04)
    moved = move_pairs(corner, 10, generator)
    assert moved.min() == 0 and moved.max() == 1
