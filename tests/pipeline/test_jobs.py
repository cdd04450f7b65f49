"""How jobs end: in one line where the user can mend the reason or has interrupted them, else with what is needed to find it."""

import platform
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch
from snakemake.iocontainers import Params
from trainings import save_training

from diffeo_stability import build_network
from diffeo_stability.core.errors import InputError
from diffeo_stability.data.store import save_dataset
from diffeo_stability.figures.measuring import probe_on
from diffeo_stability.pipeline.config_files import read_yaml
from diffeo_stability.pipeline.jobs import (
    INTERRUPTED,
    check_own_network,
    describe_training,
    exit_on_error,
    not_left_midway,
    recorded,
    set_up_torch,
)
from diffeo_stability.pipeline.measuring import given_to
from diffeo_stability.pipeline.records import code_state, read_record, record_of, write_records


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (InputError("a.csv is damaged: delete it"), 1, "error: a.csv is damaged: delete it"),
        (PermissionError(13, "Permission denied", "a.csv"), 1, "error: a.csv: Permission denied: allow yourself"),
        (MemoryError(), 1, "error: there was not enough memory (MemoryError): lower probe.batch_size"),
        (OSError(12, "Cannot allocate memory"), 1, "error: there was not enough memory ("),
        (ImportError("libtorch.so: failed to map segment: Cannot allocate memory"), 1, "error: there was not enough"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 1, "error: there was not enough"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 1, "error: there was not enough memory (CUDA"),
        (RuntimeError("shapes do not match"), 1, "unexpected error"),
        (KeyError("R"), 1, "unexpected error"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted; run again to go on"),
        (KeyboardInterrupt("at epoch 43 of 150"), INTERRUPTED, "interrupted at epoch 43 of 150; run again to go on"),
    ],
)
def test_a_job_ends_with_one_line_and_a_status(caplog, error, status, said):
    with pytest.raises(SystemExit) as caught, exit_on_error():
        raise error
    (record,) = caplog.records
    assert caught.value.code == status and record.getMessage().startswith(said)
    assert bool(record.exc_info) == (said == "unexpected error")


def test_a_figure_that_reads_nothing_is_measured_with_as_many_threads_as_its_job_has():
    before = torch.get_num_threads()
    params = Params(fromdict={"stem": "constant_filters", "settings": {"seed": 3}, "device": "cpu"})
    try:
        torch.set_num_threads(2)
        given = given_to(SimpleNamespace(input={}, params=params, threads=1))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert given.settings.seed == 3 and given.dataset is None and given.probe is None


def test_a_training_on_some_classes_is_measured_on_images_of_these(mnist5k, tmp_path):
    save_dataset(mnist5k, tmp_path / "dataset.safetensors")
    arguments = {"name": "lenet", "in_channels": 1, "image_size": 28, "classes": 3}
    save_training(tmp_path / "checkpoints", [build_network(**arguments)], arguments, label_count=3)
    files = {"dataset": tmp_path / "dataset.safetensors", "checkpoints": tmp_path / "checkpoints"}
    params = {"stem": "stability", "settings": {}, "probe": {"images": 200, "batch_size": 100}, "device": "cpu"}
    given = given_to(SimpleNamespace(input=files, params=Params(fromdict=params), threads=torch.get_num_threads()))
    images = probe_on(given.dataset, given.probe, "cpu")
    assert given.dataset.classes == mnist5k.classes[:3] and set(images.labels.tolist()) == {0, 1, 2}
    torch.testing.assert_close(given.dataset.mean, mnist5k.mean, rtol=0, atol=0)


@pytest.mark.fault("one line")
def test_memory_that_torch_cannot_have_is_a_line(caplog):
    with pytest.raises(SystemExit), exit_on_error():
        torch.empty(2**60, dtype=torch.uint8)
    assert caplog.records[-1].getMessage().startswith("error: there was not enough memory (")


@pytest.mark.fault("one line")
@pytest.mark.parametrize("code", [0, 3, None, "bye"])
def test_code_that_ends_the_process_is_said_to_do_so(code):
    with pytest.raises(InputError, match=r"ends the process \(sys.exit\(.*\)\): leave that out"), not_left_midway():
        sys.exit(code)


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton comes with torch on Linux")
def test_a_job_that_trained_ends_without_a_list_of_what_triton_takes_for_leaks():
    ending = "import triton; from diffeo_stability.pipeline.jobs import leave_garbage; leave_garbage()"
    ended = subprocess.run([sys.executable, "-c", ending], capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def test_every_job_draws_the_same_random_numbers():
    drawn = [set_up_torch("cpu", torch.get_num_threads()) and torch.rand(3) for _ in range(2)]
    assert torch.equal(*drawn)


@pytest.mark.parametrize(("dropout", "warnings"), [("functional.dropout(maps, 0.5)", 1), ("functional.relu(maps)", 0)])
def test_a_network_that_draws_random_numbers_is_named_once_where_it_is_trained_or_read(
    tmp_path, monkeypatch, caplog, dropout, warnings
):
    module = f"drawing_{warnings}"
    (tmp_path / f"{module}.py").write_text(
        "from torch import nn\n\n\nclass Drawing(nn.Conv2d):\n    def forward(self, images):\n"
        f"        maps = super().forward(images)\n        return nn.{dropout}.mean((2, 3))\n\n\n"
        "def build(in_channels, image_size, classes):\n    return Drawing(in_channels, classes, 3)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    check_own_network({"name": f"{module}:build", "in_channels": 2, "image_size": 8, "classes": 3})
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == warnings and all("it draws random numbers in evaluation" in line for line in said)


FAILING = """
from torch import nn


class Two(nn.Linear):
    def forward(self, images):
        return images.flatten(1), super().forward(images.flatten(1))


def too_small(in_channels, image_size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(5, classes))


def too_few(in_channels, image_size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * image_size**2, 2))


def maps(in_channels, image_size, classes):
    return nn.Conv2d(in_channels, classes, 3)


def two(in_channels, image_size, classes):
    return Two(in_channels * image_size**2, classes)


def unbuilt(in_channels, image_size, classes):
    return {}["depth"]


def own_fault(in_channels, image_size, classes):
    return nn.ModuleList().append(nn.Flatten())
"""


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (
            "too_small",
            r"network failing:too_small fails on images \(8, 2, 8, 8\) \(RuntimeError.*\): let it take the",
        ),
        ("own_fault", r"network failing:own_fault fails on images \(8, 2, 8, 8\) \(NotImplementedError.*\): let it"),
        ("unbuilt", r"network failing:unbuilt cannot be built \(KeyError, failing.py:\d+: 'depth'\): mend its code"),
        ("too_few", r"network failing:too_few returns \(8, 2\) for images \(8, 2, 8, 8\): let it return \(8, 3\)"),
        ("maps", r"network failing:maps returns \(8, 3, 6, 6\) for images \(8, 2, 8, 8\): let it return \(8, 3\)"),
        ("two", r"network failing:two: the model returned tuple with 0 \(8, 128\), 1 \(8, 3\): which is meant\?"),
    ],
)
def test_a_network_that_cannot_take_the_images_says_so_in_one_line(tmp_path, monkeypatch, function, said):
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=said) as caught:
        check_own_network({"name": f"failing:{function}", "in_channels": 2, "image_size": 8, "classes": 3})
    assert "\n" not in str(caught.value)


def test_a_job_that_fails_leaves_no_record_of_what_was_there_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table").write_text("before")
    write_records(["table"], rule="make", inputs={}, params={}, config={"run": "small"})
    job = SimpleNamespace(params={}, input={}, output=["table"])
    with pytest.raises(InputError), recorded(job):
        raise InputError("it failed")
    assert not record_of("table").exists()


def test_what_a_killed_job_left_beside_its_folder_is_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".checkpoints.123").mkdir()
    (tmp_path / ".checkpoints.123" / "epoch0000.json").write_text("{}")
    job = SimpleNamespace(params={}, input={}, output=["checkpoints"], rule="make", config={"run": "small"})
    with recorded(job):
        (tmp_path / "checkpoints").mkdir()
    assert not (tmp_path / ".checkpoints.123").exists() and read_record("checkpoints").rule == "make"


def test_a_record_names_the_code_that_ran_and_not_that_of_a_commit_made_meanwhile(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Snakefile").write_text("as it was")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x"]
    for command in (["init", "-q"], ["add", "Snakefile"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / ".git" / "info" / "exclude").write_text("*")
    first = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    code_state.cache_clear()
    try:
        with recorded(SimpleNamespace(params={}, input={}, output=["table"], rule="make", config={"run": "small"})):
            (tmp_path / "table").write_text("made")
            (tmp_path / "Snakefile").write_text("as it is")
            subprocess.run([*git, "commit", "-q", "-a", "-m", "second"], check=True)
    finally:
        code_state.cache_clear()
    assert read_record("table").commit == first


def test_too_few_images_of_the_first_classes_are_counted_before_anything_is_trained(root, mnist5k):
    config = read_yaml(root / "config" / "smoke.yaml")
    del config["scale_detection"]  # which has images of its own, and few
    left = int((mnist5k.test_labels < 2).sum())
    training = {"split": {"label_count": 2}, "network": {"name": "lenet"}, "recipe": {"trained_part": "all"}}
    wildcards = SimpleNamespace(run="smoke", net="lenet", variant="seed0")
    data = SimpleNamespace(dataset="data/mnist5k/images.safetensors")
    job = SimpleNamespace(config=config, params=SimpleNamespace(training=training), wildcards=wildcards, input=data)
    config["probe"]["images"] = left
    assert describe_training(job, mnist5k)["network"]["classes"] == 2
    config["probe"]["images"] = left + 1
    with pytest.raises(
        InputError, match=f"probe.images: {left + 1} is more than the {left} test images of the first 2"
    ):
        describe_training(job, mnist5k)
    config["probe"]["images"] = left
    config["receptive_fields"] |= {"networks": ["lenet"], "images": left + 1}
    with pytest.raises(InputError, match=f"receptive_fields.images: {left + 1} is more than the {left} test images"):
        describe_training(job, mnist5k)
    wildcards.net = "another"
    assert describe_training(job, mnist5k)["network"]["classes"] == 2


@pytest.mark.parametrize(
    ("images", "said"), [(1000, None), (1001, "probe.images: 1001 is more than the 1,000 test images")]
)
def test_images_of_a_packed_archive_are_counted_before_anything_is_trained(root, mnist5k, images, said):
    config = read_yaml(root / "config" / "smoke.yaml")
    config["dataset"] = {"source": "image_folder", "name": "mine", "path": "mine.tar.xz", "validation_images": 100}
    config["probe"]["images"] = images
    del config["scale_detection"]  # which has images of its own, and few
    training = {"split": {"label_count": None}, "network": {"name": "lenet"}, "recipe": {"trained_part": "all"}}
    wildcards = SimpleNamespace(run="smoke", net="lenet", variant="seed0")
    data = SimpleNamespace(dataset="data/mine/images.safetensors")
    job = SimpleNamespace(config=config, params=SimpleNamespace(training=training), wildcards=wildcards, input=data)
    if said is None:
        assert describe_training(job, mnist5k)["network"]["classes"] == 10
    else:
        with pytest.raises(InputError, match=said):
            describe_training(job, mnist5k)


def test_the_size_of_ones_own_images_is_looked_at_before_anything_is_trained(root, mnist5k):
    config = read_yaml(root / "config" / "smoke.yaml")
    config["dataset"] = {"source": "image_folder", "name": "mine", "path": "mine", "validation_images": 100}
    config["stability"] = {"cutoff": 18}
    del config["scale_detection"]
    training = {"split": {"label_count": None}, "network": {"name": "lenet"}, "recipe": {"trained_part": "all"}}
    wildcards = SimpleNamespace(run="smoke", net="lenet", variant="seed0")
    data = SimpleNamespace(dataset="data/mine/images.safetensors")
    job = SimpleNamespace(config=config, params=SimpleNamespace(training=training), wildcards=wildcards, input=data)
    with pytest.raises(InputError, match="stability.cutoff: 18 leaves an empty temperature range"):
        describe_training(job, mnist5k)


ZEROED = """
from torch import nn


def net(in_channels, image_size, classes):
    layers = nn.Conv2d(in_channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(classes)
    nn.init.zeros_(layers[1].weight)
    return nn.Sequential(*layers)


def linear(in_channels, image_size, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))
"""
ALIKE = "give the same output for every image"


@pytest.mark.parametrize(
    ("architecture", "stem", "said"),
    [
        ("zeroed:net", "operation_stability", ALIKE),
        ("zeroed:net", "stability_by_depth", ALIKE),
        ("zeroed:linear", "channel_shuffling", "no convolution that combines channels"),
        ("zeroed:linear", "laplacian_spectra", "no convolution with square filters"),
        ("zeroed:linear", "first_layer_filters", "no convolution"),
        ("zeroed:linear", "rotation_coupling", "needs two convolutions, there are 0"),
        ("zeroed:linear", "hidden_layer_pooling", "no network of one hidden layer"),
        ("zeroed:linear", "neuron_stability", "network"),
        ("resnet18", "first_layer_filters", "the first filters are 3 x 3 pixels"),
    ],
)
def test_what_figures_cannot_measure_is_said_before_a_training(
    root, mnist5k, tmp_path, monkeypatch, architecture, stem, said
):
    """Libraries let residual branches of untrained networks end in zeros; of what is not of the package no kind is known."""
    (tmp_path / "zeroed.py").write_text(ZEROED)
    monkeypatch.syspath_prepend(str(tmp_path))
    config = read_yaml(root / "config" / "smoke.yaml")
    config["networks"]["mine"] = {"architecture": architecture, "label": "mine"}
    training = {"split": {"label_count": None}, "network": {"name": architecture}, "recipe": {"trained_part": "all"}}
    wildcards = SimpleNamespace(run="smoke", net="mine", variant="seed0")
    data = SimpleNamespace(dataset="data/mnist5k/images.safetensors")
    job = SimpleNamespace(config=config, params=SimpleNamespace(training=training), wildcards=wildcards, input=data)
    assert describe_training(job, mnist5k)["network"]["name"] == architecture
    config[stem]["networks"] = [*config[stem]["networks"], "mine"]
    with pytest.raises(InputError, match=f"^mine.*{said}"):
        describe_training(job, mnist5k)


FAULTS = """
import resource, sys
import numpy as np
from diffeo_stability.pipeline.jobs import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        parts = [np.ones(2**18) for _ in range(10)]  # 2 MiB each
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_that_was_freed_is_used_again():
    """Without asking the system for it: each of 100 arrays would have 512 pages of 4 KiB anew."""
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 512
