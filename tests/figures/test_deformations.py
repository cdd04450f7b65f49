"""The table and the pictures of the ensemble."""

import pytest
import torch
from claiming import said

from diffeo_stability import InputError, remap
from diffeo_stability.figures.deformations import Deformations
from diffeo_stability.figures.deformations.measurement import measure_deformations
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe


@pytest.fixture(scope="module")
def measured(mnist5k):
    settings = Deformations(cutoffs=[2, 3, 8], temperatures=[0.0005, 0.005], fields=600, image=3)
    rows, _, pictures = measure_deformations(Given(settings=settings, probe=Probe(), dataset=mnist5k))
    return rows, pictures


def test_measured_displacement_agrees_with_both_formulas(measured):
    rows, _ = measured
    assert len(rows) == 6
    for row in rows:
        # The formula averages over the square, the measurement over pixels, border included: (n - 1) / n
        assert row["delta_measured"] == pytest.approx(row["delta_exact"] * 27 / 28, rel=0.05)
        assert row["delta_measured"] == pytest.approx(row["delta_formula"], rel=0.25)


def test_pictures_are_the_image_displaced_by_the_field(measured, mnist5k):
    _, pictures = measured
    image = mnist5k.test_images[3]
    assert torch.equal(pictures["image"], image)
    assert pictures["deformed"].shape == (2, 3, 1, 28, 28) and pictures["field"].shape == (2, 3, 2, 28, 28)
    expected = remap(image[None].float(), pictures["field"][1, 2][None])[0]
    assert (pictures["deformed"][1, 2].float() - expected).abs().max() <= 0.51


def test_fields_share_their_modes_and_scale_with_the_root_of_temperature(measured):
    _, pictures = measured
    # Of up to 8 x 8 modes, summed along one axis and then along the other, in single precision
    atol = 2 * 8 * torch.finfo(torch.float32).eps * float(pictures["field"][1].abs().max())
    torch.testing.assert_close(pictures["field"][1], pictures["field"][0] * 10**0.5, rtol=0, atol=atol)
    low, high = pictures["field"][0, 0, 0].flatten(), pictures["field"][0, 2, 0].flatten()
    assert torch.corrcoef(torch.stack((low, high)))[0, 1] > 0.5


def test_what_is_not_there_is_named(mnist5k):
    with pytest.raises(InputError, match="deformations.image is 1000"):
        measure_deformations(
            Given(settings=Deformations(cutoffs=[3], temperatures=[0.001], image=1000), probe=Probe(), dataset=mnist5k)
        )
    with pytest.raises(InputError, match="cutoff 30"):
        measure_deformations(
            Given(settings=Deformations(cutoffs=[30], temperatures=[0.001]), probe=Probe(), dataset=mnist5k)
        )


def test_the_caption_says_how_displacements_compare_and_how_much_of_the_grid_is_usable(measured, tmp_path):
    rows, _ = measured
    text = said("deformations", tmp_path, {"deformations": rows})
    inside = sum(row["temperature_min"] <= row["temperature"] <= row["temperature_max"] for row in rows)
    assert f"({inside} of 6) lies in the range" in text and "at cutoff" in text and "n = 0.96" in text
    alone = said("deformations", tmp_path, {"deformations": [rows[1]]})
    assert "of 1)" in alone and "at cutoff" not in alone
