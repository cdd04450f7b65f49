"""The table of parts and the pictures."""

import pytest
import torch
from claiming import decided, reaches_every_verdict, said

from diffeo_stability import (
    InputError,
    sample_coefficients,
)
from diffeo_stability.core.gradients import (
    PARTS,
    REMAINDER,
)
from diffeo_stability.figures.field_decomposition import FieldDecomposition
from diffeo_stability.figures.field_decomposition.findings import NAMES
from diffeo_stability.figures.field_decomposition.measurement import (
    WITHOUT_TRANSLATION,
    measure_field_decomposition,
    measure_parts,
)
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe


@pytest.fixture(scope="module")
def measured(mnist5k):
    settings = FieldDecomposition(cutoffs=[3, 8], temperatures=[0.002, 0.008], patch_sizes=[1, 5, 9], fields=300)
    rows, _, pictures = measure_field_decomposition(
        Given(settings=settings, probe=Probe(resamples=300), dataset=mnist5k)
    )
    return rows, pictures


def test_the_table_has_every_part_at_every_cutoff_temperature_and_patch_size(measured):
    rows, _ = measured
    keys = [(row["cutoff"], row["temperature"], row["patch_size"], row["part"]) for row in rows]
    assert len(set(keys)) == len(keys) == 2 * 2 * (3 * 5 + 2)
    for row in rows:
        assert row["share_low"] <= row["share"] <= row["share_high"]
        assert row["share"] == pytest.approx(row["share_formula"], abs=0.03)
        if row["part"] == REMAINDER:
            assert "norm_measured" not in row
            continue
        for name in ("norm", "mean") if row["part"] != WITHOUT_TRANSLATION else ("norm",):
            low, value, high = (row[f"{name}_{end}"] for end in ("low", "measured", "high"))
            assert low < value < high < 1.2 * low
            assert value == pytest.approx(row[f"{name}_finite"], rel=0.08)
            if row["patch_size"] == 1:
                assert row[f"{name}_finite"] == row[f"{name}_formula"]
            else:
                assert row[f"{name}_finite"] < row[f"{name}_formula"]


def test_measured_shares_add_up_to_one(measured):
    rows, _ = measured
    parts = [row for row in rows if row["part"] != WITHOUT_TRANSLATION]
    for start in range(0, len(parts), 5):
        assert sum(row["share"] for row in parts[start : start + 5]) == pytest.approx(1)


def test_what_is_no_translation_is_measured_on_patches_alone(measured):
    rows, _ = measured
    without = [row for row in rows if row["part"] == WITHOUT_TRANSLATION]
    translations = [row for row in rows if row["part"] == "translation" and row["patch_size"] > 1]
    assert [row["patch_size"] for row in without] == [5, 9] * 4
    for row, translation in zip(without, translations, strict=True):
        assert row["share"] == pytest.approx(1 - translation["share"])
        energy = translation["norm_measured"] ** 2 / translation["share"]
        assert row["norm_measured"] ** 2 == pytest.approx(energy * row["share"])


def test_sizes_scale_with_the_root_of_temperature_and_shares_do_not(measured):
    rows, _ = measured
    low, high = ([row for row in rows if row["temperature"] == temperature] for temperature in (0.002, 0.008))
    for cold, warm in zip(low, high, strict=True):
        assert (cold["part"], cold["share"], cold["share_formula"]) == (
            warm["part"],
            warm["share"],
            warm["share_formula"],
        )
        for name in (key for key in cold if key.startswith(("norm_", "mean_"))):
            assert warm[name] == pytest.approx(2 * cold[name])
    # And fields that are drawn at a temperature are those drawn at another one, scaled
    parts = [
        measure_parts(
            sample_coefficients(20, 3, t, generator=torch.Generator().manual_seed(0), dtype=torch.float64), 16, [1, 5]
        )
        for t in (0.001, 0.004)
    ]
    for size in (1, 5):
        torch.testing.assert_close(parts[1][size].norms, 2 * parts[0][size].norms)


def test_measuring_again_gives_the_same_table_and_other_seeds_another(mnist5k):
    settings = FieldDecomposition(cutoffs=[3], temperatures=[0.002], patch_sizes=[1, 5], fields=30)
    first, again, other = (
        measure_field_decomposition(
            Given(settings=settings, probe=Probe(seed=seed, resamples=100), dataset=mnist5k)
        ).table
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first[0]["norm_measured"] != other[0]["norm_measured"]


def test_pictures_are_a_field_and_the_parts_of_its_patch(measured, mnist5k):
    _, pictures = measured
    assert torch.equal(pictures["image"], mnist5k.test_images[0])
    field, parts, (row, column) = pictures["field"].double(), pictures["parts"].double(), pictures["corner"].tolist()
    assert field.shape == (2, 28, 28) and parts.shape == (5, 2, 9, 9)
    # All are rounded to single precision: by Schwarz, products of two of them by no more than their norms are
    rounding = 4 * torch.finfo(torch.float32).eps
    atol = rounding * float(parts.abs().max())
    torch.testing.assert_close(parts.sum(0), field[:, row : row + 9, column : column + 9], rtol=0, atol=2 * atol)
    torch.testing.assert_close(parts[0], parts[0, :, :1, :1].expand(2, 9, 9), rtol=0, atol=atol)
    products = parts.flatten(1) @ parts.flatten(1).T
    energies = products.diagonal()
    assert (products - energies.diag()).abs().max() < rounding * energies.max()
    assert energies.min() > 0.02 * energies.sum()
    assert row == column == (28 - 9) // 2, "the patch lies in the middle"
    # A rotation moves nothing along the line from the centre, a compression nothing across it
    offset = torch.arange(9, dtype=torch.float64) - 4
    x, y = offset.expand(9, 9), offset[:, None].expand(9, 9)
    rotation, compression = parts[PARTS.index("rotation")], parts[PARTS.index("compression")]
    assert (x * rotation[0] + y * rotation[1]).abs().max() < 2 * 4 * atol
    assert (x * compression[1] - y * compression[0]).abs().max() < 2 * 4 * atol


def test_sizes_and_cutoffs_out_of_range_are_named(mnist5k):
    settings = {"temperatures": [0.002], "fields": 10}
    with pytest.raises(InputError, match="field_decomposition.patch_sizes: 29 does not fit into images of 28 x 28"):
        settings_of = FieldDecomposition(cutoffs=[3], patch_sizes=[1, 29], **settings)
        measure_field_decomposition(Given(settings=settings_of, probe=Probe(), dataset=mnist5k))
    with pytest.raises(InputError, match="cutoff 30"):
        measure_field_decomposition(
            Given(
                settings=FieldDecomposition(cutoffs=[30], patch_sizes=[3], **settings), probe=Probe(), dataset=mnist5k
            )
        )


def parts(ratio, half, part="rotation"):
    """A part at single pixels, measured that times its closed form; and on a patch, where this does not hold."""
    norms = {"norm_formula": 0.3, "norm_measured": 0.3 * ratio, "norm_low": 0.3 * (ratio - half)}
    shared = {"cutoff": 3, "temperature": 0.002, "part": part, "norm_finite": 0.3}
    far = {"norm_formula": 0.3, "norm_measured": 0.1, "norm_low": 0.1, "norm_high": 0.1}
    rows = [
        shared | {"patch_size": 1, **norms, "norm_high": 0.3 * (ratio + half)},
        shared | {"patch_size": 9, **far, "norm_finite": 0.1},
    ]
    return {"field_decomposition": [*rows, {"patch_size": 1, "part": "remainder"}]}


def test_the_claim_reaches_every_verdict(tmp_path):
    reaches_every_verdict("13", tmp_path, parts, 1.0, 1.4, 1.05)


def test_the_part_that_agrees_least_decides(tmp_path):
    rows = [
        row
        for part, ratio in zip(PARTS, (1.0, 1.01, 0.9, 1.0), strict=True)
        for row in parts(ratio, 0.001, part)["field_decomposition"]
    ]
    row = decided("13", tmp_path, {"field_decomposition": rows})
    assert row.measured == pytest.approx(0.9) and row.verdict == "not reproduced"


def test_the_caption_says_where_small_patches_end(measured, tmp_path):
    rows, _ = measured
    text = said("field_decomposition", tmp_path, {"field_decomposition": rows})
    assert "On patches of 9 pixels" in text and "at cutoff 3" in text and "at cutoff 8" in text
    pixels = [row for row in rows if row["patch_size"] == 1]
    assert said("field_decomposition", tmp_path, {"field_decomposition": pixels}).startswith("At single pixels")
    patches = [row for row in rows if row["patch_size"] > 1 and row["cutoff"] == 3]
    assert said("field_decomposition", tmp_path, {"field_decomposition": patches}).startswith("On patches of 9 pixels")


def test_findings_name_every_part():
    assert tuple(NAMES) == PARTS
