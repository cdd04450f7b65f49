"""D, G and R against the displacement; questions and caption."""

import math

import numpy as np
import pandas as pd
import pytest
from claiming import decided, reaches_every_verdict, said, with_interval
from trainings import write_training

from diffeo_stability import InputError, deform, relative_stability
from diffeo_stability.core.seeds import generator_for
from diffeo_stability.data.probe import probe_images
from diffeo_stability.figures.measuring import load_network
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.figures.stability_vs_displacement import StabilityVsDisplacement
from diffeo_stability.figures.stability_vs_displacement.measurement import measure_stability_vs_displacement
from diffeo_stability.networks.checkpoints import list_checkpoints


def given(folder, dataset, cutoffs=(3, 5), displacements=3, **probe):
    settings = StabilityVsDisplacement(networks=["mine"], cutoffs=list(cutoffs), displacements=displacements)
    probe = Probe(**{"images": 40, "resamples": 100} | probe)
    return Given(settings=settings, probe=probe, checkpoints=folder, dataset=dataset)


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    return write_training(tmp_path_factory.mktemp("lenet"), lambda network: None, name="lenet")


@pytest.fixture(scope="module")
def table(lenet, mnist5k):
    return pd.DataFrame(measure_stability_vs_displacement(given(lenet, mnist5k)).table)


def test_displacements_go_from_below_what_is_visible_to_beyond_diffeomorphisms(table):
    assert len(table) == 2 * 2 * 3
    for cutoff, rows in table.groupby("cutoff"):
        overhang = 28 / math.pi / cutoff
        assert rows.delta.min() == pytest.approx(0.5 / math.sqrt(15))
        assert rows.delta.max() == pytest.approx(overhang * math.sqrt(2))
        np.testing.assert_allclose(rows.delta_visible, 0.5)
        np.testing.assert_allclose(rows.delta_overhang, overhang)
        assert (rows.diffeomorphism == rows.delta.between(0.5, overhang)).all()
        assert rows.r.iloc[:3].is_monotonic_increasing
    for quantity in "DGR":
        assert (table[f"{quantity}_low"] <= table[quantity]).all() and (
            table[quantity] <= table[f"{quantity}_high"]
        ).all()
    np.testing.assert_allclose(table.R, table.D / table.G)


def test_fields_are_those_of_the_figure_stability_scaled(table, lenet, mnist5k):
    images = probe_images(mnist5k, 40, 0)
    network, _ = load_network(list_checkpoints(lenet)[0], "cpu")
    row = table[(table.cutoff == 3) & (table.state == "init")].iloc[1]
    perturbations = {"displacement": row.delta, "cutoff": 3}
    by_hand = relative_stability(
        network, images, **perturbations, resamples=100, generator=generator_for("perturbations", 0)
    )
    assert pytest.approx(by_hand.deformation.value, rel=1e-3) == row.D
    assert pytest.approx(by_hand.noise.value, rel=0.5) == row.G  # other directions
    deformed = deform(images[:], **perturbations, generator=generator_for("perturbations", 0))
    assert row.r == pytest.approx(float((deformed - images[:]).flatten(1).norm(dim=1).mean()), rel=1e-3)


def test_folding_images_is_what_is_asked_for_and_warned_of_nowhere(lenet, mnist5k, caplog):
    measure_stability_vs_displacement(given(lenet, mnist5k, cutoffs=[15]))
    assert not caplog.records


def test_an_untrained_net_is_measured_by_both_readings_of_batch_norm(mnist5k, tmp_path):
    folder = write_training(tmp_path, lambda network: None, name="vgg11_bn", width=0.0625)
    found = [
        pd.DataFrame(
            measure_stability_vs_displacement(given(folder, mnist5k, cutoffs=[3], batch_size=batch_size)).table
        )
        for batch_size in (40, 30)
    ]
    assert list(found[0].batch_norm) == ["batch"] * 3 + ["estimated"] * 3 + ["running"] * 3
    np.testing.assert_allclose(found[0].R, found[1].R, rtol=1e-3)


def test_a_cutoff_without_a_range_is_named(lenet, mnist5k):
    with pytest.raises(ValueError, match="stability_vs_displacement.cutoffs: 18 leaves an empty temperature range"):
        StabilityVsDisplacement(networks=["mine"], cutoffs=[3, 18]).check_size(28)
    with pytest.raises(InputError, match="cutoff 18"):
        measure_stability_vs_displacement(given(lenet, mnist5k, cutoffs=[3, 18]))


DISPLACEMENTS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)


def net(name, relative, half=0.01, state="trained", architecture="vgg11", **columns):
    """Rows of a net whose R is a function of the displacement, at one cutoff unless it is given."""
    shared = {"net": name, "seed": 0, "state": state, "architecture": architecture, "filter_size": np.nan}
    shared |= {"imported": False, "batch_norm": "none", "cutoff": 3, "delta_overhang": 8.0} | columns
    return [{**shared, "delta": delta, **with_interval("R", relative(delta), half)} for delta in DISPLACEMENTS]


def below_one_from(value, half):
    return {"stability_vs_displacement": net("vgg11", lambda delta: value / delta, half)}


def share_changing(value, half):
    """Two nets, of which the first one's R falls; the other's lies between its values, or below all."""
    other = 1.0 if value else 0.01
    rows = [*net("vgg11", lambda delta: 1.5 if delta < 1 else 0.6, half), *net("lenet", lambda _: other, half)]
    return {"stability_vs_displacement": rows}


CASES = {
    "16a": (below_one_from, 0.3, 1.0, 0.5),
    "16b": (share_changing, 1.0, 0.0, 1.0),
}


@pytest.mark.parametrize("name", CASES)
def test_every_question_gets_every_answer(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


@pytest.mark.parametrize(
    ("relative", "displacement"),
    [(lambda _: 0.5, 0.125), (lambda _: 2.0, math.inf), (lambda delta: 0.5 if delta < 3 else 1.1, math.inf)],
)
def test_r_may_be_below_one_everywhere_or_not_at_the_end(relative, displacement, tmp_path):
    row = decided("16a", tmp_path, {"stability_vs_displacement": net("vgg11", relative)})
    assert row.measured == displacement and row.verdict == ("yes" if displacement < 0.5 else "no")


def test_displacements_beyond_the_first_overhangs_do_not_count(tmp_path):
    rows = net("vgg11", lambda delta: 0.5 if delta < 3 else 1.1, delta_overhang=3.5)
    assert decided("16a", tmp_path, {"stability_vs_displacement": rows}).verdict == "yes"
    assert "at every displacement in VGG11" in said(
        "stability_vs_displacement", tmp_path, {"stability_vs_displacement": rows}
    )


def test_between_displacements_the_curve_is_followed_to_the_first_overhangs(tmp_path):
    """R crosses one at 0.35 pixels, and is measured at 0.25 and 0.5; at 0.3 it is still above one."""
    for overhang, displacement in ((0.45, 0.35), (0.3, math.inf)):
        rows = net("vgg11", lambda delta: 0.35 / delta, delta_overhang=overhang)
        row = decided("16a", tmp_path, {"stability_vs_displacement": rows})
        assert row.measured == pytest.approx(displacement) and row.verdict == ("yes" if displacement < 0.5 else "no")
    text = said("stability_vs_displacement", tmp_path, {"stability_vs_displacement": rows})
    assert text.startswith("Up to the first overhangs, trained :math:`R_f` is below one nowhere in VGG11.")


def test_the_smallest_displacements_of_cutoffs_differ_by_rounding(tmp_path):
    rows = [*net("vgg11", lambda _: 0.5), *net("vgg11", lambda _: 0.5, cutoff=15)]
    rows = [{**row, "delta": row["delta"] * (1 + 1e-15 * row["cutoff"])} for row in rows]
    assert "at every displacement in VGG11." in said(
        "stability_vs_displacement", tmp_path, {"stability_vs_displacement": rows}
    )


def test_the_cutoff_at_which_r_is_largest_decides(tmp_path):
    rows = [
        row
        for cutoff in (3, 5)
        for row in net("vgg11", lambda delta, cutoff=cutoff: 0.1 * cutoff / delta, cutoff=cutoff)
    ]
    assert decided("16a", tmp_path, {"stability_vs_displacement": rows}).measured == pytest.approx(0.5)


def test_the_caption_says_where_r_is_below_one_and_which_nets_change_their_order(tmp_path):
    rows = [
        *net("vgg11", lambda delta: 0.6 / delta),
        *net("fully_connected_4", lambda _: 2.0),
        *net("lenet", lambda _: 10.0),
        *net("vgg11", lambda _: 1.0, state="init", batch_norm="batch"),
        *net("vgg11", lambda _: 0.3, state="init", batch_norm="estimated"),
    ]
    text = said("stability_vs_displacement", tmp_path, {"stability_vs_displacement": rows})
    assert "below one from 0.60 pixels on in VGG11; nowhere in FC 4 layers and LeNet." in text
    assert "0.15 to 4.8 in VGG11" in text and "in 1 of 3 pairs: VGG11 and FC 4 layers" in text
    assert "At init it is 1.0; with batch-norm estimated once on training images it would be 0.30" in text
    cutoffs = [*net("vgg11", lambda delta: 0.5 / delta, cutoff=5), *net("vgg11", lambda delta: 0.6 / delta)]
    assert "from 0.50 pixels on (at the cutoff where it is latest, from 0.60) in VGG11." in said(
        "stability_vs_displacement", tmp_path, {"stability_vs_displacement": cutoffs}
    )
    several = [{**row, "seed": seed} for seed in range(2) for row in rows]
    assert "geometric means over 2 seeds" in said(
        "stability_vs_displacement", tmp_path, {"stability_vs_displacement": several}
    )


def test_the_caption_of_one_net_with_weights_of_its_own_compares_nothing(tmp_path):
    rows = net("mine", lambda _: 0.5, architecture="my.nets:mine", imported=True)
    text = said("stability_vs_displacement", tmp_path, {"stability_vs_displacement": rows})
    assert text == (
        "Up to the first overhangs, trained :math:`R_f` is below one at every displacement in mine. "
        "Over all displacements and cutoffs it is 0.50 in mine."
    )
