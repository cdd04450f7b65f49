"""Images as tensors, arrays, and batches of a loader: the same images, the same result."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from diffeo_stability import InputError, relative_stability
from diffeo_stability.core.image_sources import as_images

IMAGES = torch.rand(20, 2, 12, 12, generator=torch.Generator().manual_seed(0))
CPU = torch.device("cpu")


def flipped():
    """Images of which the array has negative strides and is not to be written to."""
    array = IMAGES.flip(-1).numpy()[..., ::-1]
    array.flags.writeable = False
    return array


SOURCES = {
    "array": lambda: IMAGES.numpy(),
    "array of another view": flipped,
    "array in double precision": lambda: IMAGES.double().numpy(),
    "array of the other byte order": lambda: IMAGES.numpy().astype(">f4"),
    "tensor in double precision": lambda: IMAGES.double(),
    "loader": lambda: DataLoader(TensorDataset(IMAGES, torch.zeros(20)), batch_size=7),
    "loader of tensors": lambda: DataLoader(IMAGES, batch_size=20),
    "batches as dictionaries": lambda: [{"id": "a", "pixel_values": part} for part in IMAGES.split(6)],
    "batches as lists": lambda: (["name", part] for part in IMAGES.split(6)),
    "batches in double precision": lambda: IMAGES.double().split(6),
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_images_give_the_same_result(name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 12 * 12, 3))
    expected = relative_stability(model, IMAGES, seed=0, resamples=50)
    assert relative_stability(model, SOURCES[name](), seed=0, resamples=50) == expected


def test_images_take_the_models_type():
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 12 * 12, 3)).double()
    for source in (IMAGES, IMAGES.half(), IMAGES.numpy(), [IMAGES]):
        assert relative_stability(model, source, seed=0, resamples=50).images == 20
    assert as_images(IMAGES, CPU, torch.float32) is IMAGES


def test_a_tensor_keeps_its_type_where_the_model_is_a_function_of_unknown_weights():
    double = nn.Sequential(nn.Flatten(), nn.Linear(2 * 12 * 12, 3)).double()
    images = IMAGES.double()
    assert relative_stability(lambda x: double(x), images, seed=0) == relative_stability(double, images, seed=0)


def test_tensors_go_to_the_models_device_batch_by_batch():
    images = as_images(IMAGES, torch.device("meta"), torch.float32)
    assert images.device.type == "meta" and images.shape == IMAGES.shape and len(images) == 20
    assert images[3:5].device.type == "meta" and images[3:5].shape == (2, 2, 12, 12)


def test_what_is_sliced_into_tensors_is_taken_as_it_is():
    class Doubled:
        shape, dtype, device = IMAGES.shape, torch.float64, CPU

        def __len__(self):
            return len(IMAGES)

        def __getitem__(self, part):
            return 2.0 * IMAGES[part].double()

    lazy = Doubled()
    assert as_images(lazy, CPU, torch.float32) is lazy


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (IMAGES.byte().numpy(), "an array of uint8: they must be floating point"),
        (IMAGES.byte(), "images are torch.uint8: they must be floating point"),
        (IMAGES > 0.5, "images are torch.bool: they must be floating point"),
        ([IMAGES.byte()], "images are torch.uint8: they must be floating point"),
        (TensorDataset(IMAGES), r"has shape \(2, 12, 12\).* a data set needs a DataLoader"),
        ([["a", "b"]], "a batch of type list without a tensor"),
        ([], "hold no batch"),
        ([IMAGES, IMAGES[:, :1]], "differ in shape from batch to batch"),
        ("photos", "is the path photos: read them with load_images"),
        (3, "images is int"),
        (None, "images is NoneType"),
        (IMAGES.numpy()[0], r"images have shape \(2, 12, 12\)"),
        (
            (IMAGES, torch.zeros(20)),
            r"first tensor has shape \(20,\).* of one batch with its labels give the images alone",
        ),
        (np.ma.masked_greater(IMAGES.numpy(), 0.5), "an array of which some numbers are masked"),
    ],
)
def test_what_are_no_images_is_named(source, message):
    with pytest.raises(InputError, match=message):
        relative_stability(nn.Flatten(), source)
