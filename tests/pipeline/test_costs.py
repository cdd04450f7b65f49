"""Where the minutes of a run went."""

import pytest

from diffeo_stability import InputError
from diffeo_stability.__main__ import main
from diffeo_stability.pipeline.config import load_config
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
