"""Correlation and fit against planted ones, one point per network; claims and caption."""

import numpy as np
import pandas as pd
import pytest
from claiming import around, decided, reaches_every_verdict, said, with_interval

from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.stability_vs_error import StabilityVsError
from diffeo_stability.figures.stability_vs_error.measurement import (
    QUANTITIES,
    _fit,
    correlate_with_error,
    measure_stability_vs_error,
    points_of,
)


def rows_of(net, seed, error, trained, init=(1.0, 1.0, 1.0), **columns):
    """Rows of a training: the stabilities R, D and G trained and at init, and its error."""
    known = {
        "architecture": "vgg11",
        "filter_size": np.nan,
        "imported": False,
        "batch_norm": "none",
        "train_error": 0.0,
    }
    rows = []
    for state, values, wrong in (("init", init, 0.9), ("trained", trained, error)):
        row = {"net": net, "seed": seed, "state": state, **known, **columns, **with_interval("test_error", wrong, 0.05)}
        for quantity, value in zip(QUANTITIES, values, strict=True):
            row |= with_interval(quantity, value, 0.05)
        rows.append(row)
    return rows


def table(count=12, noise=0.0, seed=0):
    """Networks with error = 0.2 sqrt(R) and D, G unrelated to it."""
    rng = np.random.default_rng(seed)
    rows = []
    for k, value in enumerate(np.geomspace(0.1, 10, count)):
        error = 0.2 * value**0.5 * np.exp(noise * rng.normal())
        init = (1.0 + 0.1 * rng.random(), *(rng.random(2) + 0.1))
        rows += rows_of(f"net{k}", 0, error, (value, *(rng.random(2) + 0.1)), init)
    return pd.DataFrame(rows)


def test_a_power_law_is_recovered_exactly():
    result = correlate_with_error(table()).set_index("quantity").loc["R"]
    assert result.correlation == pytest.approx(1) and result.a == pytest.approx(0.2) and result.b == pytest.approx(0.5)
    assert result.networks == 12 and pd.isna(result.reason)


def test_intervals_hold_the_planted_exponent_and_tell_r_from_d():
    result = correlate_with_error(table(noise=0.2)).set_index("quantity")
    assert result.b_low.R < 0.5 < result.b_high.R and result.a_low.R < 0.2 < result.a_high.R
    assert result.correlation_low.R > 0.8
    assert max(result.correlation_high.D, result.correlation_high.G) < result.correlation_low.R
    assert min(result.lead_of_R_low.D, result.lead_of_R_low.G) > 0 and result.lead_of_R.R == 0


def test_error_is_the_trained_one_whatever_the_state_of_the_stability():
    result = correlate_with_error(table(), state="init").set_index("quantity").loc["R"]
    assert abs(result.correlation) < 0.9
    points = points_of(table(), "init")
    assert (points.state == "init").all() and points.test_error.max() == pytest.approx(0.2 * 10**0.5)


def test_same_seed_same_intervals():
    pd.testing.assert_frame_equal(correlate_with_error(table(noise=0.2)), correlate_with_error(table(noise=0.2)))


def test_a_net_is_one_point_however_many_seeds_it_has():
    """Seeds that scatter about their net's mean of the logarithms change nothing, not even the interval."""
    once = table(noise=0.3)
    numbers = [column for column in once if column.startswith(("R", "D", "G", "test_error"))]
    several = []
    for seed, factor in enumerate((0.5, 1.0, 2.0)):
        copy = once.assign(seed=seed)
        copy[numbers] *= factor
        several.append(copy)
    one, three = correlate_with_error(once), correlate_with_error(pd.concat(several))
    pd.testing.assert_frame_equal(one, three)
    more = pd.concat([*several, several[0][several[0].net == "net3"].assign(seed=3)])
    assert (correlate_with_error(more).networks == 12).all()


def test_only_the_papers_nets_are_fitted():
    others = [
        *rows_of("wide", 0, 0.9, (0.01, 1.0, 1.0), filter_size=9.0),
        *rows_of("one", 0, 0.01, (9.0, 1.0, 1.0), architecture="one_hidden_layer_cnn"),
        *rows_of("mine", 0, 0.9, (0.1, 1.0, 1.0), architecture="my.nets:vgg11"),
        *rows_of("larger", 0, 0.9, (0.1, 1.0, 1.0), architecture="timm:resnet18"),
        *rows_of("between", 0, 0.9, (0.1, 1.0, 1.0), architecture="vgg13"),
    ]
    both = pd.concat([table(noise=0.2), pd.DataFrame(others)])
    pd.testing.assert_frame_equal(correlate_with_error(both), correlate_with_error(table(noise=0.2)))
    drawn = points_of(both, "trained")
    others = {"wide", "one", "mine", "larger", "between"}
    assert set(drawn[~drawn.of_the_papers].net) == others and len(drawn) == 12 + len(others)
    assert points_of(
        pd.DataFrame(rows_of("usual", 0, 0.9, (0.1, 1.0, 1.0), filter_size=3.0)), "trained"
    ).of_the_papers.all()


def test_an_imported_net_has_a_point_though_nothing_is_known_of_its_training():
    imported = rows_of("timm", 0, 0.2, (1.0, 1.0, 1.0), architecture="resnet18", imported=True)[1:]
    both = pd.concat([table(), pd.DataFrame(imported)])
    assert (correlate_with_error(both).networks == 13).all()
    assert (correlate_with_error(both, state="init").networks == 12).all()


def test_a_stronger_correlation_is_so_in_absolute_value():
    """The error falls with D along a line, and rises with R with some scatter: the correlation with D is the stronger one."""
    rng = np.random.default_rng(1)
    rows = []
    for k, relative in enumerate(np.geomspace(0.1, 10, 10)):
        error = 0.1 * relative**0.5
        rows += rows_of(f"net{k}", 0, error, (relative * np.exp(rng.normal()), error**-2, rng.random() + 0.1))
    result = correlate_with_error(pd.DataFrame(rows)).set_index("quantity")
    with_r, with_d = result.correlation.R, result.correlation.D
    assert with_d == pytest.approx(-1) and 0 < with_r < 0.99
    assert result.lead_of_R["D"] == pytest.approx(with_r - 1) and result.lead_of_R_high["D"] < 0


def test_at_init_both_readings_of_batch_norm_are_in_the_table():
    rows = []
    for k, value in enumerate(np.geomspace(0.1, 10, 6)):
        init, trained = rows_of(f"net{k}", 0, 0.2 * value**0.5, (1.0, 1.0, 1.0), (value, 1.0 + k, 2.0 + k))
        rows += [init | {"batch_norm": "batch"}, init | {"batch_norm": "estimated", "R": 1.0 + k % 2}]
        rows.append(trained | {"batch_norm": "running"})
    result = correlate_with_error(pd.DataFrame(rows), state="init").set_index(["batch_norm", "quantity"]).correlation
    assert result["batch", "R"] == pytest.approx(1) and abs(result["estimated", "R"]) < 0.5
    assert result["batch", "D"] == result["estimated", "D"]


def test_a_resample_of_one_network_alone_has_no_slope():
    """Also where rounding makes the mean of equal numbers another number than they are."""
    logs = np.log(np.array([0.3, 0.7, 1.1]))
    fits = _fit(np.stack([logs, *(np.full(3, value) for value in logs)]), np.stack([logs] * 4))
    assert np.isfinite(fits[:, 0]).all() and np.isnan(fits[[0, 2], 1:]).all()
    three = correlate_with_error(table(count=3, noise=0.2)).set_index("quantity").loc["R"]
    assert 0 < three.a_low <= three.a <= three.a_high < 10 and abs(three.b_low) < 10 and abs(three.b_high) < 10


def few():
    """Two of the papers' nets, one of them with two seeds, and others."""
    return [
        *rows_of("lenet", 0, 0.1, (1.0, 0.1, 0.1), architecture="lenet"),
        *rows_of("lenet", 1, 0.0, (1.1, 0.1, 0.1), architecture="lenet"),
        *rows_of("vgg11", 0, 0.05, (0.5, 0.1, 0.2)),
        *rows_of("resnet18", 0, 0.0, (0.4, 0.1, 0.2), architecture="resnet18"),
        *rows_of("mine", 0, 0.2, (0.4, 0.1, 0.2), architecture="my.nets:mine"),
    ]


def test_too_few_of_the_papers_nets_make_no_fit_and_say_so(tmp_path):
    result = correlate_with_error(pd.DataFrame(few()))
    assert result[["correlation", "a_low", "b", "lead_of_R_high"]].isna().all(axis=None)
    assert set(result.reason) == {"2 of the papers' nets with a test error above 0, where a fit needs 3"}
    tables = {"stability": few(), "stability_vs_error": result}
    row = decided("3a", tmp_path, tables)
    assert row.verdict == "needs networks" and row.reason == f"the run has {result.reason[0]}"
    text = said("stability_vs_error", tmp_path, tables)
    assert text.startswith(f"The run has {result.reason[0]}: nothing is fitted.")
    assert "in no fit: mine." in text and "Not drawn: 2 trainings" in text


def test_a_claim_about_the_papers_nets_needs_more_than_half_of_them(tmp_path):
    """The bootstrap over three or four nets is hardly wider than a point: a correlation of 0.98 would be certain."""
    for count, verdict in ((7, "needs networks"), (8, "reproduced")):
        row = decided("3a", tmp_path, {"stability_vs_error": correlate_with_error(table(count, noise=0.05))})
        assert row.verdict == verdict and f"{count} of the papers' 15 nets" in row.reason


def test_nets_that_do_not_differ_make_no_fit():
    same = [row for k in range(4) for row in rows_of(f"net{k}", 0, 0.1, (1.0, 0.1, 0.1))]
    result = correlate_with_error(pd.DataFrame(same))
    assert result.correlation.isna().all() and "do not differ" in result.reason[0]


def test_a_run_says_which_images_it_is_on():
    given = Given(settings=StabilityVsError(resamples=100), copy_of="cifar10", tables={"stability": table()})
    assert (measure_stability_vs_error(given).table.dataset == "cifar10").all()


def fit(quantity, name, value, half, **columns):
    row = {"quantity": quantity, "state": "trained", "batch_norm": "running", "dataset": "cifar10", "correlation": 0.5}
    row |= {"networks": 15}
    return {"stability_vs_error": [row | around(name, value, half) | columns]}


CASES = {
    "3a": (lambda x, half: fit("R", "correlation", x, half), 0.95, 0.5, 0.9),
    "3b": (lambda x, half: fit("D", "lead_of_R", x, half), 0.4, -0.4, 0.0),
    "3c": (lambda x, half: fit("G", "lead_of_R", x, half), 0.4, -0.4, 0.0),
    "3d exponent": (lambda x, half: fit("R", "b", x, half), 0.5, 0.2, 0.35),
    "3d prefactor": (lambda x, half: fit("R", "a", x, half), 0.2, 0.05, 0.1),
}


@pytest.mark.parametrize("name", CASES)
def test_every_claim_reaches_every_verdict(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


@pytest.mark.parametrize("dataset", [None, "mnist"])
def test_the_prefactor_counts_on_cifar10_alone(dataset, tmp_path):
    tables = fit("R", "a", 0.2, 0.01, dataset=dataset) | {"stability": table()}
    row = decided("3d prefactor", tmp_path, tables)
    assert row.verdict == "needs networks" and row.reason == "the run has no networks on CIFAR-10"


def test_claims_are_about_trained_nets(tmp_path):
    assert decided("3a", tmp_path, fit("R", "correlation", 0.95, 0.01, state="init")).verdict == "needs networks"


def test_the_caption_says_how_strongly_and_by_which_law(tmp_path):
    def caption(stability, **settings):
        fits = correlate_with_error(stability, **settings)
        return said("stability_vs_error", tmp_path, {"stability": stability, "stability_vs_error": fits})

    text = caption(table())
    assert text.startswith("Over 12 of the papers' nets, ") and "1.0 (1.0 to 1.0) with :math:`\\log R_f`" in text
    assert "exponent 0.50 (0.50 to 0.50)" in text and "the paper has" not in text and "Open" not in text
    assert "where the paper has about 0.5 and 0.2" in caption(table(), dataset="cifar10")
    seeds = pd.concat([table(), table().assign(seed=1)])
    assert "each the geometric mean over 2 seeds" in caption(seeds)
    assert " at init;" in caption(table(), state="init")


def test_the_caption_says_which_nets_do_not_fit_their_training_images(tmp_path):
    def caption(*errors):
        stability = table(len(errors)).assign(train_error=np.repeat(errors, 2))
        fits = correlate_with_error(stability)
        return said("stability_vs_error", tmp_path, {"stability": stability, "stability_vs_error": fits})

    assert "as they are, is at most 3% in 4 of 4 nets." in caption(0.0, 0.01, 0.02, 0.03)
    text = caption(0.0, 0.01, 0.2, 0.1)
    assert "at most 3% in 2 of 4 nets; it is 20% in net2 and 10% in net3." in text
    assert "training images" not in caption(np.nan, np.nan, np.nan)
