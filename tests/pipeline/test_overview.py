"""The networks of a run at a glance, for any number of networks and seeds, trained here or not."""

import numpy as np
import pandas as pd
import pytest

from diffeo_stability.pipeline.overview import NOTHING, PLOT, POINTS, curve_points, format_error, network_rows


def training(network, seed=0, **changes):
    usual = {"train_size": 400, "width": 1.0, "trained_part": "all", "epochs": 2, "usual": True}
    usual |= {"dataset": "mnist5k", "own_images": False, "noise": 0.0}
    described = {
        "network": network,
        "label": network,
        "architecture": "lenet",
        "seed": seed,
        "history": f"{network}/seed{seed}",
    }
    return {**described, **usual, **changes}


def history(*errors, validated=True):
    rows = [
        {"epoch": epoch, "train_loss": 1.0, "train_error": error, "validation_error": error / 2 if validated else None}
        for epoch, error in enumerate(errors)
    ]
    return pd.DataFrame(rows).astype({"validation_error": float})


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("seeds", [1, 3])
def test_every_network_has_one_row_whatever_its_seeds(count, seeds):
    trainings = [training(f"net{number}", seed) for seed in range(seeds) for number in range(count)]
    histories = {one["history"]: history(0.9, 0.5, 0.1 * (one["seed"] + 1)) for one in trainings}
    tested = pd.DataFrame(
        [
            {"net": one["network"], "seed": one["seed"], "state": state, "test_error": error, "train_size": 400}
            for one in trainings
            for state, error in (("init", 0.9), ("trained", 0.25))
        ]
    )
    rows, others = network_rows(trainings, histories, tested)
    assert [row.name for row in rows] == [f"net{number}" for number in range(count)] and others == []
    mean = np.mean([0.1 * (seed + 1) for seed in range(seeds)])
    for row in rows:
        expected = [f"{mean:.2%}", f"{mean / 2:.2%}", "25.00%"]
        assert list(row.errors.values()) == expected and row.images == "400" and row.epochs == "2"
        assert {column: len(lines) for column, lines in row.curves.items()} == {
            "train_error": seeds,
            "validation_error": seeds,
        }


def test_trainings_with_noise_and_on_other_images_have_rows_of_their_own():
    others = [
        training("net", usual=False, noise=10.0, history="a"),
        training("net", usual=False, noise=30.0, history="b"),
        training("net", usual=False, dataset="two_points", own_images=True, history="c"),
    ]
    histories = {"a": history(0.9, 0.1), "b": history(0.9, 0.3), "c": history(0.5, 0.0)}
    _, rows = network_rows(others, histories, None)
    assert [(row.name, row.errors["Training error"]) for row in rows] == [
        ("net, noise 10", "10.00%"),
        ("net, noise 30", "30.00%"),
        ("net, two_points", "0.00%"),
    ]


def test_networks_with_weights_from_elsewhere_have_a_test_error_alone():
    tested = pd.DataFrame([{"net": "net", "seed": 0, "state": "trained", "test_error": 0.13, "train_size": np.nan}])
    ((row,), _) = network_rows([training("net", history=None, train_size=None, epochs=0)], {}, tested)
    assert list(row.errors.values()) == [NOTHING, NOTHING, "13.00%"]
    assert row.images == row.epochs == NOTHING and not any(row.curves.values())


def test_without_the_table_stability_no_test_error_is_known():
    ((row,), _) = network_rows([training("net", train_size=None)], {"net/seed0": history(0.9, 0.1)}, None)
    assert list(row.errors.values()) == ["10.00%", "5.00%", NOTHING] and row.images == "all"


def test_trainings_for_single_figures_stand_apart_and_say_what_is_trained():
    trainings = [
        training("net"),
        training("net", usual=False, train_size=100, history="small"),
        training("net", usual=False, trained_part="read_out", history="part"),
    ]
    histories = {one["history"]: history(0.9, 0.1) for one in trainings}
    tested = pd.DataFrame([{"net": "net", "seed": 0, "state": "trained", "test_error": 0.1, "train_size": 400}])
    (usual,), (small, part) = network_rows(trainings, histories, tested)
    assert (usual.name, small.name, part.name) == ("net", "net", "net, read-out alone")
    assert usual.errors["Test error"] == "10.00%" and small.errors["Test error"] == NOTHING and small.images == "100"


def test_without_validation_images_there_is_no_curve_of_them():
    ((row,), _) = network_rows([training("net")], {"net/seed0": history(0.9, 0.1, validated=False)}, None)
    assert row.errors["Validation error"] == NOTHING
    assert len(row.curves["train_error"]) == 1 and row.curves["validation_error"] == []


@pytest.mark.parametrize("errors", [[0.5], [1.0, 0.0], list(np.linspace(1, 0, 500))])
def test_curves_stay_in_their_plot_and_begin_and_end_where_the_training_does(errors):
    points = [tuple(map(float, point.split(","))) for point in curve_points(history(*errors), "train_error").split()]
    assert 1 <= len(points) <= POINTS
    assert all(0 <= x <= PLOT[0] and 0 <= y <= PLOT[1] for x, y in points)
    assert points[0][0] == 0 and points[-1][0] == (PLOT[0] if len(errors) > 1 else 0)
    if len(errors) > 1:
        assert (points[0][1], points[-1][1]) == (0, PLOT[1])


def test_an_error_that_is_missing_is_no_number():
    assert format_error([]) == format_error([float("nan")]) == NOTHING
    assert format_error([0.0]) == "0.00%" and format_error([0.1, float("nan"), 0.3]) == "20.00%"
