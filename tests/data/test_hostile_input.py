"""Whatever is put in: a result, or an error that says in one line what is wrong with it."""

import copy
import math

import pytest
import torch
import yaml
from fuzzing import examples
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from diffeo_stability import (
    HOMES,
    InputError,
    RelativeStabilityMetric,
    build_network,
    compression_matrix,
    decompose_gradient,
    deform,
    displacement_field,
    displacement_from_temperature,
    laplacian_eigenspaces,
    laplacian_spectrum,
    load_images,
    pure_shear_matrix,
    radial_power_spectrum,
    relative_stability,
    remap,
    rms_displacement,
    rotation_matrix,
    sample_coefficients,
    stability_by_operation,
    temperature_from_displacement,
    temperature_range,
)
from diffeo_stability.__main__ import main
from diffeo_stability.pipeline.config import RunConfig, parse_config

HOSTILE = examples(60)
NUMBERS = st.one_of(st.integers(-3, 40), st.floats(allow_nan=True, allow_infinity=True, width=32))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


def places(block, prefix=()):
    """Every key of a configuration, as a path."""
    for key, value in block.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from places(value, (*prefix, key))


@pytest.fixture(scope="module")
def raw(root):
    return yaml.safe_load((root / "config" / "mnist5k.yaml").read_text())


@examples(300)
@given(data=st.data())
def test_any_value_of_any_key_is_taken_or_named(raw, data):
    changed = copy.deepcopy(raw)
    *blocks, key = data.draw(st.sampled_from(list(places(raw))))
    block = changed
    for name in blocks:
        block = block[name]
    block[data.draw(st.one_of(st.just(key), st.text(min_size=1, max_size=8)))] = data.draw(VALUES)
    try:
        assert isinstance(parse_config(changed), RunConfig)
    except InputError as error:
        assert all(line.startswith("config: ") for line in str(error).split("\n"))


SHAPES = st.one_of(
    st.lists(st.integers(0, 6), max_size=5),
    st.builds(lambda batch, channels, size: [batch, channels, size, size], *(3 * [st.integers(0, 6)])),
)
DTYPES = st.sampled_from(
    [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.uint8, torch.int64, torch.bool]
)


@st.composite
def tensors(draw):
    """Tensors of any shape and type, with or without a NaN or an infinite number."""
    shape, dtype = draw(SHAPES), draw(DTYPES)
    tensor = torch.randint(0, 5, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    if tensor.is_floating_point() and tensor.numel() and draw(st.booleans()):
        tensor.view(-1)[0] = draw(st.sampled_from([math.nan, math.inf]))
    return tensor


def one_line(function, *arguments, **named):
    """Call a function, which must return or raise an error of one line that is meant for the caller."""
    try:
        return function(*arguments, **named)
    except InputError as error:
        assert str(error) and "\n" not in str(error)
        return None


class Sums(nn.Module):
    """Takes images of any shape, so that nothing but the measure itself can object."""

    def forward(self, x):
        return torch.stack((x.flatten(1).sum(1), x.flatten(1).square().sum(1)), dim=1)


def followed(model, images, **measured_with):
    """R by the metric, as in training."""
    metric = RelativeStabilityMetric(model, **measured_with)
    metric.update(images)
    return metric.compute()


@HOSTILE
@given(images=tensors(), displacement=NUMBERS, cutoff=st.integers(-1, 6), batch_size=st.integers(-1, 5))
def test_stability_measures(images, displacement, cutoff, batch_size):
    for measure in (relative_stability, stability_by_operation, followed):
        one_line(
            measure, Sums(), images, displacement=displacement, cutoff=cutoff, batch_size=batch_size, resamples=100
        )


@HOSTILE
@given(images=tensors(), displacement=NUMBERS, cutoff=st.integers(-1, 6), interpolation=st.text(max_size=8))
def test_deformations(images, displacement, cutoff, interpolation):
    for name in ("bilinear", "nearest", "gaussian", interpolation):
        result = one_line(deform, images, displacement=displacement, cutoff=cutoff, interpolation=name)
        assert result is None or (result.shape == images.shape and result.dtype == images.dtype)


@HOSTILE
@given(images=tensors(), field=tensors())
def test_remapping(images, field):
    result = one_line(remap, images, field)
    assert result is None or result.shape == images.shape


@HOSTILE
@given(tensor=tensors(), size=st.integers(-2, 7))
def test_fields_filters_spectra_and_gradients(tensor, size):
    one_line(displacement_field, tensor, size)
    one_line(laplacian_spectrum, tensor)
    one_line(laplacian_eigenspaces, size)
    one_line(radial_power_spectrum, tensor)
    one_line(decompose_gradient, tensor)


@HOSTILE
@given(first=NUMBERS, cutoff=st.integers(-2, 50), size=st.integers(-2, 50), count=st.integers(-2, 4))
def test_temperatures_and_coefficients(first, cutoff, size, count):
    for function in (temperature_from_displacement, displacement_from_temperature, rms_displacement):
        result = one_line(function, first, cutoff, size)
        assert result is None or (math.isfinite(result) and result >= 0)
    bounds = one_line(temperature_range, size, cutoff)
    assert bounds is None or 0 < bounds[0] <= bounds[1]
    drawn = one_line(sample_coefficients, count, cutoff, first)
    assert drawn is None or (drawn.shape == (count, 2, cutoff, cutoff) and drawn.isfinite().all())


@HOSTILE
@given(norm=NUMBERS, angle=NUMBERS)
def test_matrices_of_local_transformations(norm, angle):
    for function, arguments in (
        (rotation_matrix, (norm,)),
        (compression_matrix, (norm,)),
        (pure_shear_matrix, (norm, angle)),
    ):
        matrix = one_line(function, *arguments)
        assert matrix is None or matrix.isfinite().all()


@examples(100)
@given(
    name=st.one_of(
        st.sampled_from(["lenet", "fully_connected_2", "one_hidden_layer_lcn", "../lenet", "torchvision:/etc/passwd"]),
        st.text(max_size=8),
    ),
    sizes=st.lists(st.one_of(st.integers(-1, 40), st.floats(), st.text(max_size=2), st.none()), min_size=3, max_size=3),
    width=NUMBERS,
)
def test_networks(name, sizes, width):
    network = one_line(build_network, name, *sizes, width=min(width, 0.5))
    assert network is None or isinstance(network, nn.Module)


@examples(100)
@given(content=st.binary(max_size=200), suffix=st.sampled_from(["png", "pdf", "csv", "safetensors", "json", "txt"]))
def test_the_command_line_names_what_is_no_file_of_the_pipeline(tmp_path, capsys, content, suffix):
    signature = {"png": bytes([137]) + b"PNG\r\n" + bytes([26]) + b"\n", "pdf": b"%PDF-1.4"}.get(suffix, b"")
    path = tmp_path / f"file.{suffix}"
    for text in (content, signature + content):
        path.write_bytes(text)
        for command in ("provenance", "claims"):
            assert main([command, str(path)]) == 1
            assert capsys.readouterr().err.startswith("error: ")


@examples(100)
@given(content=st.binary(max_size=100), suffix=st.sampled_from(["png", "tar", "zip", "tar.xz", "txt"]), size=NUMBERS)
def test_images_of_any_content(tmp_path, content, suffix, size):
    path = tmp_path / f"images.{suffix}"
    path.write_bytes(content)
    one_line(load_images, path)
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    (folder / "one.png").write_bytes(content)
    one_line(load_images, folder, size)


@pytest.mark.fault("one line")
@pytest.mark.parametrize("name", ["../lenet", "/tmp/lenet", "a/b", "lenet.pt"])
def test_a_network_name_that_is_a_path_is_refused(raw, name):
    changed = copy.deepcopy(raw)
    changed["networks"]["lenet"] = {"architecture": name}
    with pytest.raises(InputError, match="config: networks.lenet"):
        parse_config(changed)
    changed = copy.deepcopy(raw)
    changed["networks"][name] = {"architecture": "lenet"}
    with pytest.raises(InputError, match="config: networks"):
        parse_config(changed)


def test_every_public_function_is_tried_here():
    assert set(HOMES) <= set(globals())
