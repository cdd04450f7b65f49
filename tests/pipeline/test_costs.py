"""Where the minutes of a run went."""

import logging

import pytest

from diffeo_stability import InputError
from diffeo_stability.__main__ import main
from diffeo_stability.networks.progress import Progress
from diffeo_stability.pipeline.config import load_config, parse_config
from diffeo_stability.pipeline.config_files import read_yaml
from diffeo_stability.pipeline.costs import costs

HEADER = "s\th:m:s\tmax_rss\tcpu_time\n"


def write(path, *numbers):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "\t".join(map(str, numbers)) + "\n")


def test_damaged_benchmarks_tell_nothing(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "logs" / "smoke" / "draw_stability.benchmark.tsv"
    path.parent.mkdir(parents=True)
    for content in (b"\xff\n\xff\n", b"s\t" + b"x" * 200_000 + b"\n1\t1\n", b"\0\n\0\n"):
        path.write_bytes(content)
        assert all(cost.core_seconds == 0 for cost in costs(load_config(root / "config" / "smoke.yaml")))


def test_jobs_are_summed_by_rule_the_dearest_first(root, tmp_path, monkeypatch, capsys):
    config = root / "config" / "smoke.yaml"
    monkeypatch.chdir(tmp_path)
    logs = tmp_path / "logs"
    write(logs / "datasets" / "mnist5k.benchmark.tsv", 1.0, "0:00:01", "NA", "NA")  # as another run left it
    with pytest.raises(InputError, match="nothing of run smoke was run here"):
        costs(load_config(config))
    write(logs / "smoke" / "train_network" / "lenet" / "seed0.benchmark.tsv", 20.0, "0:00:20", 900.0, 30.0)
    write(logs / "smoke" / "train_network" / "vgg11_bn" / "seed0.benchmark.tsv", 50.0, "0:00:50", 700.0, 40.0)
    write(logs / "smoke" / "draw_stability.benchmark.tsv", 6.0, "0:00:06", 200.0, 5.0)
    write(logs / "other" / "draw_stability.benchmark.tsv", 6.0, "0:00:06", 200.0, 500.0)
    training, drawing, fetching = costs(load_config(config))
    assert (training.rule, training.jobs, training.core_seconds) == ("train_network", 2, 70.0)
    assert (training.longest, training.memory) == (50.0, 900.0)
    assert (drawing.rule, drawing.core_seconds, fetching.rule, fetching.core_seconds) == (
        "draw_stability",
        5,
        "fetch_dataset",
        0,
    )
    assert main(["profile", str(config)]) == 0
    printed = capsys.readouterr().out
    assert (
        "| `train_network` | 2 | 70 | 93% | 50 | 900 |" in printed and "| all | 4 | 75 | 100% | 50 | 900 |" in printed
    )


def test_a_training_that_went_on_counts_as_if_it_had_gone_through(root, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "logs" / "smoke" / "train_network" / "lenet"
    write(folder / "seed0.benchmark.tsv", 10.0, "0:00:10", 900.0, 8.0)
    with caplog.at_level(logging.INFO):
        for trained in (0, 30):
            with Progress(tmp_path / "lenet" / "seed0" / "checkpoints", trained, 40):
                (folder / "seed0.log").write_text("a warning\n" + "".join(f"{line}\n" for line in caplog.messages))
            (training,) = costs(load_config(root / "config" / "smoke.yaml"))
            factor = 40 / (40 - trained)
            assert (training.core_seconds, training.longest, training.memory) == (8 * factor, 10 * factor, 900.0)
    assert caplog.messages == ["lenet/seed0 goes on after epoch 30 of 40"]


def test_what_a_configuration_no_longer_asks_for_is_not_counted(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw = read_yaml(root / "config" / "smoke.yaml")
    del raw["rotation_coupling"]
    logs = tmp_path / "logs" / "smoke"
    for job in ("train_network/lenet/seed0", "train_network/lenet/seed9", "train_network/old/seed0"):
        write(logs / f"{job}.benchmark.tsv", 10.0, "0:00:10", 900.0, 8.0)
    for job in (
        "draw_stability",
        "draw_rotation_coupling",
        "measure_rotation_coupling/vgg11_bn/seed0",
        "evaluate_claims",
    ):
        write(logs / f"{job}.benchmark.tsv", 1.0, "0:00:01", 90.0, 1.0)
    found = {cost.rule: cost.jobs for cost in costs(parse_config(raw))}
    assert found == {"train_network": 1, "draw_stability": 1, "evaluate_claims": 1}
