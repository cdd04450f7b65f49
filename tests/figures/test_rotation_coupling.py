"""Rotated copies and their coupling, planted and found again, and a permutation test that finds nothing in noise."""

import math

import pytest
import torch
from claiming import around, decided, reaches_every_verdict, said
from trainings import save_training

from diffeo_stability import InputError, build_network
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.rotation_coupling import RotationCoupling
from diffeo_stability.figures.rotation_coupling.measurement import (
    correlate_pairs,
    coupling_strength,
    kinds_of_rotation,
    measure_rotation_coupling,
    rotated,
    rotation_similarity,
)
from diffeo_stability.figures.settings import Probe

NETWORK = {"name": "vgg11", "in_channels": 1, "image_size": 28, "classes": 10, "width": 0.25, "filter_size": 5}
QUARTERS = [90.0, 180.0, 270.0]
PROBE = Probe(resamples=200)
SETTINGS = RotationCoupling(networks=["net"], angle_step=30.0, permutations=500)


def edges(angles, size=9, width=1.7):
    """Derivatives of a Gaussian along directions in degrees, counterclockwise on the screen: ``(angles, 1, size, size)``."""
    place = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    directions = torch.deg2rad(torch.tensor(angles, dtype=torch.float64))[:, None, None]
    along = place * directions.cos() - place[:, None] * directions.sin()
    gaussian = torch.exp(-(place**2 + place[:, None] ** 2) / (2 * width**2))
    return (along * gaussian)[:, None]


def quarter_copies(groups, generator, size=5):
    """Random filters and their quarter turns, the four of a group one after the other: ``(4 groups, 1, size, size)``."""
    filters = torch.randn(groups, 1, size, size, generator=generator, dtype=torch.float64)
    return torch.stack([rotated(filters, angle) for angle in (0, *QUARTERS)], dim=1).flatten(0, 1)


def grouped_weights(groups, generator, neurons_each=4):
    """A second layer of noise in which each neuron reads the four channels of one group more strongly."""
    weights = torch.randn(groups * neurons_each, 4 * groups, 3, 3, generator=generator, dtype=torch.float64)
    reads = torch.eye(groups, dtype=torch.float64).repeat_interleave(neurons_each, 0).repeat_interleave(4, 1)
    return weights * (1 + reads)[:, :, None, None]


def correlate(filters, weights, generator, permutations=500, partial=False):
    similarity, _ = rotation_similarity(filters, QUARTERS)
    unrotated, _ = rotation_similarity(filters, [0.0])
    return correlate_pairs(
        similarity,
        coupling_strength(weights),
        unrotated if partial else None,
        permutations=permutations,
        resamples=200,
        generator=generator,
    )


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_interpolated_rotation_agrees_with_the_exact_one(angle):
    filters = edges([20.0])
    disc = rotated(torch.ones(9, 9, dtype=torch.float64), 1.0) > 0
    exact, interpolated = rotated(filters, angle), rotated(filters, angle + 1e-9)
    torch.testing.assert_close(interpolated[..., disc], exact[..., disc])
    assert disc.sum() == 49 and not interpolated[..., ~disc].any()


def test_rotations_turn_counterclockwise():
    for turned in (rotated(edges([0.0]), 90), rotated(edges([60.0]), 30)):
        assert torch.cosine_similarity(turned.flatten(), edges([90.0]).flatten(), dim=0) > 0.97


def test_quarter_turns_are_exact_copies(generator):
    similarity, angle = rotation_similarity(quarter_copies(1, generator), QUARTERS)
    different = ~torch.eye(4, dtype=torch.bool)
    torch.testing.assert_close(similarity[different], torch.ones(12, dtype=torch.float64))
    assert angle[0].tolist()[1:] == [270, 180, 90] and angle[:, 0].tolist()[1:] == [90, 180, 270]


@pytest.mark.parametrize(("difference", "interpolated"), [(30.0, 0.97), (60.0, 0.97), (45.0, 0.92)])
def test_other_angles_need_interpolation(difference, interpolated):
    filters = edges([10.0, 10.0 + difference])
    fine, angle = rotation_similarity(filters, kinds_of_rotation(30.0)["interpolated"])
    assert fine[0, 1] > interpolated and rotation_similarity(filters, QUARTERS)[0][0, 1] < 0.9
    if difference % 30 == 0:
        assert angle[0, 1] == 360 - difference and angle[1, 0] == difference


@pytest.mark.parametrize("kind", ["none", "quarter_turns", "interpolated"])
def test_similarity_is_symmetric_and_knows_neither_mean_nor_scale(kind, generator):
    angles = kinds_of_rotation(25.0)[kind]
    filters = torch.randn(10, 3, 5, 5, generator=generator, dtype=torch.float64)
    similarity, _ = rotation_similarity(filters, angles)
    assert torch.equal(similarity, similarity.T) and similarity.abs().max() <= 1 + 1e-12
    scale = torch.rand(10, 1, 1, 1, generator=generator, dtype=torch.float64) + 0.1
    constant = torch.randn(10, 3, 1, 1, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(rotation_similarity(filters * scale + constant, angles)[0], similarity)


def test_constant_filters_are_like_nothing(generator):
    filters = torch.randn(3, 1, 3, 3, generator=generator)
    filters[1] = 0.1
    assert not rotation_similarity(filters, [45.0, 90.0])[0][1].any()


def test_coupling_is_the_correlation_of_strengths_whatever_signs_and_scales(generator):
    weights = torch.randn(20, 5, 3, 3, generator=generator, dtype=torch.float64)
    expected = torch.corrcoef(weights.square().sum((2, 3)).sqrt().T)
    torch.testing.assert_close(coupling_strength(weights), expected)
    scales = torch.tensor([1.0, -2.0, 0.1, -5.0, 3.0], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(coupling_strength(weights * scales.unsqueeze(0)), expected)
    weights[:, 2] = weights[0, 2]
    assert not coupling_strength(weights)[2].any()


def test_planted_coupling_is_found_and_gone_once_channels_are_shuffled(generator):
    filters, weights = quarter_copies(6, generator), grouped_weights(6, generator)
    planted = correlate(filters, weights, generator)
    assert planted.p_value < 0.01 and planted.pairs == 24 * 23 // 2
    assert 0 < planted.correlation_low < planted.correlation < planted.correlation_high < 1
    assert planted.null_low < 0 < planted.null_high < planted.correlation
    shuffled = correlate(filters, weights[:, torch.randperm(24, generator=generator)], generator)
    assert shuffled.p_value > 0.05 and shuffled.correlation < shuffled.null_high


def test_p_values_of_unrelated_layers_are_uniform(generator):
    p_values = []
    for _ in range(80):
        filters = torch.randn(8, 1, 3, 3, generator=generator)
        weights = torch.randn(16, 8, 3, 3, generator=generator)
        p_values.append(correlate(filters, weights, generator, permutations=200).p_value)
    p_values = torch.tensor(p_values)
    for share in (0.25, 0.5, 0.75):
        assert abs((p_values < share).float().mean() - share) < 0.15


def test_smallest_p_value_counts_the_observed_one():
    matrix = torch.eye(6).repeat_interleave(2, 0).repeat_interleave(2, 1)
    generator = torch.Generator().manual_seed(1)
    result = correlate_pairs(matrix, matrix, permutations=199, resamples=100, generator=generator)
    assert result.correlation == pytest.approx(1) and result.p_value == 1 / 200


def test_tables_of_a_training_that_learned_to_couple_quarter_turns(tmp_path, generator):
    torch.manual_seed(0)
    untrained, trained = (build_network(**NETWORK) for _ in range(2))
    with torch.no_grad():
        trained.conv1.weight.copy_(quarter_copies(4, generator))
        trained.conv2.weight.copy_(grouped_weights(4, generator, neurons_each=8))
    save_training(tmp_path, [untrained, trained], NETWORK)
    rows, summary, _ = measure_rotation_coupling(Given(settings=SETTINGS, probe=PROBE, checkpoints=tmp_path))
    assert len(rows) == 2 * 3 * 120 and len(summary) == 2 * 3
    found = {(row["state"], row["rotations"]): row for row in summary}
    assert found["trained", "quarter_turns"]["p_value"] < 0.01 and found["trained", "quarter_turns"]["filter_size"] == 5
    assert found["trained", "quarter_turns"]["correlation"] > found["trained", "none"]["correlation"]
    assert found["init", "quarter_turns"]["p_value"] > 0.05
    partial = found["trained", "quarter_turns"]
    assert partial["partial_p_value"] < 0.01 and partial["partial_correlation"] > partial["partial_null_high"]
    assert math.isnan(found["trained", "none"]["partial_correlation"])
    plain = [row for row in rows if row["rotations"] == "none"]
    assert all(row["unrotated_similarity"] == row["rotation_similarity"] for row in plain)
    copies = [row for row in rows if row["state"] == "trained" and row["channel_a"] // 4 == row["channel_b"] // 4]
    turned = [row["rotation_similarity"] for row in copies if row["rotations"] == "quarter_turns"]
    assert turned == pytest.approx([1] * 24) and {row["layer"] for row in rows} == {"conv1"}
    again = measure_rotation_coupling(Given(settings=SETTINGS, probe=PROBE, checkpoints=tmp_path))
    assert rows == again.table and repr(summary) == repr(again.summary)  # some numbers are NaN


def neighbours(matrix):
    """A similarity of channels, as a matrix of pairs, with some noise of its own."""
    return (matrix + matrix.T) / 2


def test_coupling_that_follows_unrotated_similarity_alone_leaves_no_partial_correlation(generator):
    """Rotated similarity goes with the unrotated one, and so does coupling: they correlate, but for that."""
    unrotated = neighbours(torch.randn(40, 40, generator=generator, dtype=torch.float64))
    noise = [neighbours(torch.randn(40, 40, generator=generator, dtype=torch.float64)) for _ in range(2)]
    turned, coupling = (unrotated + 0.5 * own for own in noise)
    draws = {"permutations": 500, "resamples": 200, "generator": generator}
    plain = correlate_pairs(turned, coupling, **draws)
    partial = correlate_pairs(turned, coupling, unrotated, **draws)
    assert plain.correlation > 0.7 and plain.p_value < 0.01
    # 780 pairs: a standard error of 0.036
    assert abs(partial.correlation) < 0.15 and partial.p_value > 0.001
    assert partial.correlation_low < partial.correlation < partial.correlation_high
    follows = correlate_pairs(turned, turned + unrotated, unrotated, **draws)
    assert follows.correlation == pytest.approx(1) and follows.p_value < 0.01 and follows.null_high < 0.5


def test_partial_correlation_is_that_of_the_residuals(generator):
    x, y, z = (neighbours(torch.randn(12, 12, generator=generator, dtype=torch.float64)) for _ in range(3))
    pairs = torch.triu_indices(12, 12, 1)
    vectors = [matrix[tuple(pairs)] for matrix in (x, y, z)]
    of_pairs = torch.corrcoef(torch.stack(vectors))
    xy, xz, yz = of_pairs[0, 1], of_pairs[0, 2], of_pairs[1, 2]
    expected = (xy - xz * yz) / ((1 - xz**2) * (1 - yz**2)).sqrt()
    found = correlate_pairs(x, y, z, permutations=100, resamples=100, generator=generator)
    assert found.correlation == pytest.approx(float(expected))
    assert found.null_low < 0 < found.null_high and found.correlation_low < found.correlation < found.correlation_high


def test_planted_rotated_coupling_survives_what_is_held_fixed(generator):
    found = correlate(quarter_copies(6, generator), grouped_weights(6, generator), generator, partial=True)
    assert found.p_value < 0.01 and found.correlation_low > 0 and found.null_high < found.correlation


def test_what_is_held_fixed_may_leave_nothing(generator):
    x, y = (neighbours(torch.randn(8, 8, generator=generator)) for _ in range(2))
    found = correlate_pairs(x, y, 2 * x + 1, permutations=100, resamples=100, generator=generator)
    assert math.isnan(found.correlation) and math.isnan(found.p_value) and found.pairs == 28


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "fully_connected_2"}, "needs two convolutions, there are 0.*rotation_coupling.networks"),
        ({"name": "efficientnet_b0", "width": 0.125}, "does not take all.*rotation_coupling.networks"),
        ({"name": "vgg11", "width": 0.0625, "filter_size": 1}, "have 1 x 1 pixels"),
        ({"name": "vgg11", "width": 0.03}, "at least 4 and 3 are needed.*larger width"),
    ],
)
def test_networks_that_cannot_be_looked_at_are_named(tmp_path, arguments, message):
    arguments = {"in_channels": 1, "image_size": 28, "classes": 10, **arguments}
    save_training(tmp_path, [build_network(**arguments)] * 2, arguments)
    with pytest.raises(InputError, match=message) as caught:
        measure_rotation_coupling(Given(settings=SETTINGS, probe=PROBE, checkpoints=tmp_path))
    assert "\n" not in str(caught.value)


def test_pairs_that_are_all_alike_are_named(generator):
    with pytest.raises(InputError, match="nothing to correlate"):
        correlate_pairs(torch.ones(4, 4), torch.rand(4, 4), permutations=100, resamples=100, generator=generator)


def net(name, excess, half=0.01, angles=0.5, p=0.004, **columns):
    """Partial correlations of a trained net beyond a null that ends at 0.1, with quarter turns and with all angles."""
    shared = {"net": name, "seed": 0, "state": "trained", "imported": False, "filter_size": 9}
    shared |= {"partial_null_high": 0.1, "partial_p_value": p}
    found = {"quarter_turns": 0.1 + excess, "interpolated": 0.1 + angles}
    rows = [
        {**shared, "rotations": kind, **around("partial_correlation", value, half)} for kind, value in found.items()
    ]
    plain = {**shared, "rotations": "none", **around("partial_correlation", math.nan, half)}
    return [{**row, **columns} for row in [*rows, plain]]


def summary_of(*nets):
    return {"rotation_coupling_summary": [row for rows in nets for row in rows]}


def test_the_question_reaches_every_answer(tmp_path):
    reaches_every_verdict("15", tmp_path, lambda x, half: summary_of(net("a", x, half)), 0.3, -0.3, 0.0)


def test_both_ways_of_turning_and_filters_of_5_pixels_are_needed(tmp_path):
    row = decided("15", tmp_path, summary_of(net("a", 0.3, angles=-0.2), net("small", 0.9, filter_size=3)))
    assert row.measured == pytest.approx(-0.2) and row.verdict == "no" and row.reason == "a alone"
    row = decided("15", tmp_path, summary_of(net("small", 0.9, filter_size=3)))
    assert math.isnan(row.measured) and "at least 5 pixels" in row.reason


def test_the_caption_says_what_is_beyond_the_null(tmp_path):
    text = said("rotation_coupling", tmp_path, summary_of(net("a", 0.3)))
    assert "at the best quarter turn by 0.40 (0.39 to 0.41) in a (p = 0.0040)" in text
    assert "Both ways this is above 97.5%" in text and "seeds" not in text
    one = said("rotation_coupling", tmp_path, summary_of(net("a", -0.3)))
    assert "At the best of all angles alone this is above 97.5%" in one
    assert "Neither way is this above 97.5%" in said(
        "rotation_coupling", tmp_path, summary_of(net("a", -0.3, angles=-0.1))
    )
    pair = said("rotation_coupling", tmp_path, summary_of(net("a", 0.3), net("b", -0.3, p=0.7)))
    assert "-0.20 (-0.21 to -0.19) in b (p = 0.70)" in pair
    assert (
        "This is above 97.5% of what shuffled channels give both ways in 1 of 2 nets and at the best of all angles "
        in pair
    )
    several = [net("a", 0.3, seed=seed) for seed in range(3)]
    assert "means over 3 seeds" in said("rotation_coupling", tmp_path, summary_of(*several))
    small = said("rotation_coupling", tmp_path, summary_of(net("small", 0.9, filter_size=3)))
    assert "fewer than 5 pixels" in small
