"""Checkpoints come back as they were, and damaged, swapped or pickled ones are refused."""

import pickle

import pytest
import torch
from hostile import RunsWhenUnpickled

from diffeo_stability import InputError, build_network
from diffeo_stability.data.files import atomic_path, sha256_of, write_json
from diffeo_stability.networks.checkpoints import list_checkpoints, load_checkpoint, read_metadata, save_checkpoint

NETWORK = {"name": "lenet", "in_channels": 1, "image_size": 28, "classes": 10}


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    network = build_network(**NETWORK)
    path = tmp_path / "epoch0001.safetensors"
    save_checkpoint(network, path, {"network": NETWORK, "epoch": 1})
    return network, path


def test_weights_and_metadata_come_back(saved):
    network, path = saved
    loaded, metadata = load_checkpoint(path)
    images = torch.randn(2, 1, 28, 28)
    assert all(torch.equal(loaded.state_dict()[name], weights) for name, weights in network.state_dict().items())
    assert torch.equal(loaded(images), network.eval()(images)) and not loaded.training
    assert metadata["epoch"] == 1 and len(metadata["sha256"]) == 64


def test_channels_last_weights_are_kept(saved, tmp_path):
    network, _ = saved
    path = tmp_path / "epoch0002.safetensors"
    save_checkpoint(network.to(memory_format=torch.channels_last), path, {"network": NETWORK, "epoch": 2})
    assert torch.equal(load_checkpoint(path)[0].conv1.weight, network.conv1.weight)


def test_checkpoints_are_listed_by_epoch_not_by_name(saved, tmp_path):
    network, _ = saved
    save_checkpoint(network, tmp_path / "another.safetensors", {"network": NETWORK, "epoch": 0})
    assert [read_metadata(path)["epoch"] for path in list_checkpoints(tmp_path)] == [0, 1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:500]),
        lambda path: path.write_bytes(pickle.dumps({"weights": 1})),
        lambda path: path.unlink(),
        lambda path: path.with_suffix(".json").write_text("{"),
        lambda path: path.with_suffix(".json").unlink(),
    ],
)
def test_damaged_checkpoints_are_named(saved, damage):
    _, path = saved
    damage(path)
    with pytest.raises(InputError, match=r"epoch0001\.(safetensors|json).*run again") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_a_pickled_checkpoint_is_refused_and_its_code_not_run(saved, tmp_path, write):
    """Even if its metadata vouches for it."""
    _, path = saved
    trace = tmp_path / "trace"
    write({"weights": RunsWhenUnpickled(trace)}, path)
    write_json(path.with_suffix(".json"), {**read_metadata(path), "sha256": sha256_of(path)})
    with pytest.raises(InputError, match="epoch0001.safetensors cannot be read"):
        load_checkpoint(path)
    path.rename(path.with_suffix(".pt"))
    with pytest.raises(InputError, match="holds no checkpoint"):
        list_checkpoints(tmp_path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"network": {**NETWORK, "name": "../lenet"}}, r"network '../lenet' is not known"),
        ({"network": {**NETWORK, "classes": 3}}, "size mismatch"),
        ({"network": {**NETWORK, "run": "code"}}, "unexpected keyword"),
        ({"network": None}, "cannot be read"),
    ],
)
def test_metadata_that_do_not_fit_are_named(saved, metadata, message):
    _, path = saved
    write_json(path.with_suffix(".json"), {**read_metadata(path), **metadata})
    with pytest.raises(InputError, match=message) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_swapped_checkpoint_is_refused(saved, tmp_path):
    _, path = saved
    other = tmp_path / "other" / "epoch0001.safetensors"
    save_checkpoint(build_network(**NETWORK), other, {"network": NETWORK, "epoch": 1})
    path.write_bytes(other.read_bytes())
    with pytest.raises(InputError, match="not the file that its metadata describes"):
        load_checkpoint(path)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="holds no checkpoint"):
        list_checkpoints(tmp_path)


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("before")
    with pytest.raises(RuntimeError), atomic_path(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
