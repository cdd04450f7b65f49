"""Whatever public functions are called with, and whatever files hold that are read from outside: a result without a NaN that is
not told of, or an error for the caller; within 10 seconds, and 2 GiB of memory. ``make fuzz`` goes on for as long as one likes.
"""

import contextlib
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from fuzzing import ANYTHING, DAMAGE, NUMBERS, examples, holds_nan, taken_or_named
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save
from torch import nn

import diffeo_stability
from diffeo_stability import HOMES, build_network, relative_stability
from diffeo_stability.__main__ import main
from diffeo_stability.data.files import read_json
from diffeo_stability.data.prepare import prepare_dataset
from diffeo_stability.data.store import load_dataset, save_dataset
from diffeo_stability.networks.checkpoints import list_checkpoints, load_checkpoint, save_checkpoint
from diffeo_stability.networks.weights import load_weights, read_weights
from diffeo_stability.pipeline.adopt import adopt
from diffeo_stability.pipeline.claims import load_claims
from diffeo_stability.pipeline.config import load_config
from diffeo_stability.pipeline.provenance import trace
from diffeo_stability.pipeline.records import checked_hashes_of, record_of

SIZES = {"in_channels": 1, "image_size": 28, "classes": 10}
IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
MODEL = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4))
MEASURED = {"displacement": 0.5, "cutoff": 3, "batch_size": 4, "resamples": 20, "confidence": 0.9, "seed": 0}
# Every public function with arguments that it takes; each of them is replaced by anything
CALLS = {
    "build_network": {"name": "lenet", **SIZES, "width": 0.25},
    "compression_matrix": {"norm": 1.0},
    "decompose_gradient": {"gradient": torch.ones(2, 2)},
    "deform": {"images": IMAGES, "displacement": 1.0, "cutoff": 3, "interpolation": "nearest"},
    "displacement_field": {"coefficients": torch.ones(1, 2, 3, 3), "image_size": 8},
    "displacement_from_temperature": {"temperature": 0.01, "cutoff": 3, "image_size": 8},
    "laplacian_eigenspaces": {"size": 3},
    "laplacian_spectrum": {"filters": torch.ones(2, 3, 3)},
    "load_images": {"path": "nowhere", "image_size": 8, "mean": 0.5, "std": 1.0},
    "pure_shear_matrix": {"norm": 1.0, "angle": 0.5},
    "radial_power_spectrum": {"maps": torch.ones(4, 4)},
    "RelativeStabilityMetric": {"model": MODEL, "images": 4, "given": IMAGES, **MEASURED},
    "relative_stability": {"model": MODEL, "images": IMAGES, **MEASURED},
    "remap": {"images": IMAGES, "field": torch.zeros(4, 2, 8, 8), "interpolation": "bilinear"},
    "rms_displacement": {"temperature": 0.01, "cutoff": 3, "image_size": 8},
    "rotation_matrix": {"norm": 1.0},
    "sample_coefficients": {"batch_size": 2, "cutoff": 3, "temperature": 0.01},
    "stability_by_operation": {"model": MODEL, "images": IMAGES, **MEASURED},
    "temperature_from_displacement": {"displacement": 1.0, "cutoff": 3, "image_size": 8},
    "temperature_range": {"image_size": 8, "cutoff": 3},
}


def test_every_public_function_is_called_here():
    assert {*CALLS, "InputError"} == set(HOMES)


def called(name, arguments):
    """What a public function returns, or, of the metric, what it computes on images."""
    function = getattr(diffeo_stability, name)
    if name != "RelativeStabilityMetric":
        return function(**arguments)
    metric = function(**{key: value for key, value in arguments.items() if key != "given"})
    metric.update(arguments["given"])
    return metric.compute()


@examples(500)
@given(data=st.data())
def test_public_functions_take_or_refuse_anything(caplog, data):
    caplog.clear()
    name = data.draw(st.sampled_from(sorted(CALLS)))
    arguments = dict(CALLS[name])
    for changed in data.draw(st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=2, unique=True)):
        arguments[changed] = data.draw(ANYTHING)
    result = taken_or_named(called, name, arguments)
    assert not holds_nan(result) or any("infinite or NaN" in record.getMessage() for record in caplog.records)


@examples(60)
@given(count=st.integers(2, 6), steps=st.floats(0.1, 10), seed=st.integers(0, 2**32), displacement=NUMBERS)
def test_a_nan_is_never_unsaid(caplog, count, steps, seed, displacement):
    """Outputs that hardly move, of a few images."""
    caplog.clear()
    images = torch.randn(count, 1, 6, 6, generator=torch.Generator().manual_seed(seed))

    def in_steps(x):
        return torch.round(steps * x.flatten(1)[:, :2].double())

    measured = taken_or_named(relative_stability, in_steps, images, displacement=displacement, resamples=20, seed=seed)
    assert not holds_nan(measured) or any("infinite or NaN" in record.getMessage() for record in caplog.records)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def written(write) -> bytes:
    """What a function writes to a file."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    tensors = build_network("lenet", **SIZES, width=0.25).state_dict()
    return {
        "w.pt": written(lambda file: torch.save(tensors, file)),
        "old.pth": written(lambda file: torch.save({"model": tensors}, file, _use_new_zipfile_serialization=False)),
        "w.safetensors": save(tensors, {"json": "{}"}),
    }


@examples(400)
@given(name=st.sampled_from(["w.pt", "old.pth", "w.safetensors"]), damage=DAMAGE)
def test_damaged_weights(folder, weights, name, damage):
    (folder / name).write_bytes(damage.of(weights[name]))
    tensors = taken_or_named(read_weights, str(folder / name), "lenet", folder)
    if tensors is not None:
        assert not any(tensor.isnan().any() for tensor in tensors.values() if tensor.is_floating_point())
        taken_or_named(load_weights, build_network("lenet", **SIZES, width=0.25), tensors)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@st.composite
def damaged_json(draw, entries):
    """The text of a JSON file, of which one entry is missing, is something else, or of which nothing is as it was."""
    changed = dict(entries)
    key = draw(st.sampled_from(sorted(entries)))
    kind = draw(st.sampled_from(["missing", "other", "all", "bytes"]))
    if kind == "missing":
        del changed[key]
    elif kind == "other":
        changed[key] = draw(JSON)
    elif kind == "all":
        changed = draw(JSON)
    text = json.dumps(changed).encode()
    return draw(DAMAGE).of(text) if kind == "bytes" else text


RECORD = {
    "sha256": "0",
    "rule": "r",
    "inputs": {"a": "b"},
    "contents": {"c": "d"},
    "params": {"probe": {"seed": 0}},
    "run": "run",
    "config": "0",
    "commit": "0",
    "dirty": False,
    "versions": {"python": "3"},
}


@examples(150)
@given(text=damaged_json(RECORD))
def test_damaged_records(folder, text):
    path = folder / "results" / "run" / "table.csv"
    record_of(path).parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a,b\n1,2\n")
    record_of(path).write_bytes(text)
    with contextlib.chdir(folder):
        for function, argument in ((checked_hashes_of, ["results/run/table.csv"]), (adopt, CONFIG), (trace, path)):
            taken_or_named(function, argument)


class CONFIG:
    """What is asked of a configuration by what checks records."""

    run = "run"
    data_dir = "nowhere"

    datasets = ("nothing",)


METADATA = {"network": {"name": "lenet", **SIZES, "width": 0.25}, "epoch": 3, "seed": 0, "net": "lenet"}


@examples(150)
@given(text=damaged_json({**METADATA, "sha256": "0"}), damage=st.none() | DAMAGE)
def test_damaged_checkpoints(folder, text, damage):
    place = folder / "checkpoints"
    place.mkdir(exist_ok=True)
    path = place / "epoch0003.safetensors"
    if damage is None:
        path.with_suffix(".json").write_bytes(text)
    else:
        torch.manual_seed(0)
        save_checkpoint(build_network(**METADATA["network"]), path, METADATA)
        path.write_bytes(damage.of(path.read_bytes()))
    taken_or_named(list_checkpoints, place)
    taken_or_named(load_checkpoint, path)
    taken_or_named(read_json, path.with_suffix(".json"))


@pytest.fixture(scope="module")
def pictures():
    """Images and archives of them, by name."""
    pixels = Image.fromarray(np.arange(300, dtype=np.uint16).reshape(10, 10, 3).astype(np.uint8))
    kinds = ("png", "jpeg", "tiff", "bmp", "gif", "webp")
    files = {f"one.{kind}": written(lambda file, kind=kind: pixels.save(file, kind)) for kind in kinds}
    for compression in ("", "gz", "xz", "bz2"):
        with io.BytesIO() as buffer:
            with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
                for part in ("train", "test"):
                    entry = tarfile.TarInfo(f"{part}/cat/one.png")
                    entry.size = len(files["one.png"])
                    archive.addfile(entry, io.BytesIO(files["one.png"]))
            files[f"images.tar{compression and f'.{compression}'}"] = buffer.getvalue()
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in ("train", "test"):
                archive.writestr(f"{part}/cat/one.png", files["one.png"])
        files["images.zip"] = buffer.getvalue()
    arrays = {
        f"{letter}_{part}": np.zeros((2, 8, 8) if letter == "x" else 2, np.uint8)
        for letter in "xy"
        for part in ("train", "test")
    }
    files["images.npz"] = written(lambda file: np.savez_compressed(file, **arrays))
    return files


@examples(300)
@given(data=st.data(), damage=DAMAGE)
def test_damaged_images_and_archives(folder, pictures, data, damage):
    name = data.draw(st.sampled_from(sorted(pictures)))
    content = damage.of(pictures[name])
    if name.startswith("one."):
        path = folder / "photos"
        path.mkdir(exist_ok=True)
        for other in path.iterdir():
            other.unlink()
        (path / name).write_bytes(content)
        assert not holds_nan(taken_or_named(diffeo_stability.load_images, path, 8))
    else:
        (folder / name).write_bytes(content)
        source = "arrays" if name.endswith("npz") else "image_folder"
        taken_or_named(prepare_dataset, source, folder, path=folder / name)


@examples(60)
@given(damage=DAMAGE)
def test_a_damaged_data_set(folder, pictures, damage):
    (folder / "whole.npz").write_bytes(pictures["images.npz"])
    path = folder / "images.safetensors"
    save_dataset(prepare_dataset("arrays", folder, path=folder / "whole.npz"), path)
    whole = path.read_bytes()
    path.write_bytes(damage.of(whole))
    assert taken_or_named(load_dataset, path) is None or path.read_bytes() == whole


@examples(100)
@given(damage=DAMAGE, data=st.data())
def test_damaged_yaml(root, folder, damage, data):
    name = data.draw(st.sampled_from(["smoke.yaml", "claims.yaml"]))
    (folder / name).write_bytes(damage.of((root / "config" / name).read_bytes()))
    taken_or_named(load_config if name == "smoke.yaml" else load_claims, folder / name)


@pytest.fixture(scope="module")
def results(root):
    """Figures and a table of claims, as a run makes them."""
    place = root / "figures" / "reference" / "mnist5k"
    return {path.name: path.read_bytes() for path in (place / "deformations.png", *place.glob("**/claims.csv"))}


@examples(100)
@given(damage=DAMAGE, data=st.data())
def test_damaged_figures_and_tables(folder, results, capsys, damage, data):
    name = data.draw(st.sampled_from(sorted(results)))
    (folder / name).write_bytes(damage.of(results[name]))
    status = taken_or_named(main, ["claims" if name.endswith("csv") else "provenance", str(folder / name)])
    assert status in (0, 1)
    assert status == 0 or capsys.readouterr().err.startswith(("error: ", "Files"))
