"""Forward passes through receptive fields alone: they give the activations of whole images, at every place."""

import copy

import pytest
import torch
from torch import nn

from diffeo_stability import InputError, build_network, remap
from diffeo_stability.core.cropping import LayerView, activations_of, sequence_of, views_of

# Dilation, a stride that leaves pixels over, rectangular and grouped filters, both poolings, padding at every step
HAND_MADE = nn.Sequential(
    nn.Conv2d(2, 4, 3, dilation=2, padding=2),
    nn.MaxPool2d(3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d(4, 6, (5, 3), padding=(2, 1), groups=2),
    nn.ZeroPad2d((3, 0, 1, 2)),
    nn.Conv2d(6, 6, 3, stride=2),
    nn.AvgPool2d(2, stride=1),
    nn.ReLU(inplace=True),
)
NETWORKS = {
    "hand_made": (HAND_MADE, 2, 23),
    "vgg11_bn": (lambda: build_network("vgg11_bn", 1, 28, 10, width=0.0625), 1, 28),
    "alexnet": (lambda: build_network("alexnet", 3, 32, 10, width=0.125), 3, 32),
    "lenet": (lambda: build_network("lenet", 1, 28, 10), 1, 28),
}


@pytest.fixture(params=NETWORKS)
def case(request):
    """A network with weights of order one at every depth, its views, and some images, all in double precision."""
    build, channels, size = NETWORKS[request.param]
    torch.manual_seed(0)
    network = (copy.deepcopy(build) if isinstance(build, nn.Module) else build()).double().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.mul_(2)
                module.bias.normal_()
    images = torch.randn(3, channels, size, size, dtype=torch.float64)
    return network, views_of(network, nn.ReLU, size, channels), images


def nothing(places, images):
    return torch.zeros(len(places), len(images), 2, 2), torch.zeros(len(places), len(images), 2)


def assert_same(found, expected):
    """But for the rounding of sums of the largest numbers, in double precision."""
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12 * float(expected.detach().abs().max()))


def test_crops_give_the_activations_of_the_whole_image_at_every_place(case):
    network, views, images = case
    whole = activations_of(network, views, images)
    for name, view in views.items():
        places = view.places
        assert len(places) == whole[name][0, 0].numel()
        cropped = view.activations(images, places, *nothing(places, images)).permute(1, 2, 0)
        assert_same(cropped, whole[name].flatten(2))


def test_displaced_crops_are_those_of_displaced_images(case):
    """The naive way displaces the whole image about each place's centre, and reads one place of the result."""
    network, views, images = case
    name, view = list(views.items())[-1]
    places = [view.places[number] for number in torch.randperm(len(view.places))[:6].tolist()]
    matrices = 0.1 * torch.randn(len(places), len(images), 2, 2, dtype=torch.float64)
    shifts = torch.randn(len(places), len(images), 2, dtype=torch.float64)
    cropped = view.activations(images, places, matrices, shifts)
    pixel = torch.arange(images.shape[-1], dtype=torch.float64)
    for number, place in enumerate(places):
        offsets = torch.stack(
            torch.meshgrid(
                pixel - view.columns.centre(place.column), pixel - view.rows.centre(place.row), indexing="xy"
            )
        )
        field = torch.einsum("pab,byx->payx", matrices[number], offsets) + shifts[number][:, :, None, None]
        whole = activations_of(network, [name], remap(images, field))[name]
        assert_same(cropped[number], whole[:, :, *place])


def test_changes_are_those_of_displaced_images_within_the_crop(case):
    _, views, images = case
    view = list(views.values())[-1]
    places = [view.places[number] for number in torch.randperm(len(view.places))[:6].tolist()]
    matrices = 0.1 * torch.randn(len(places), len(images), 2, 2, dtype=torch.float64)
    shifts = torch.randn(len(places), len(images), 2, dtype=torch.float64)
    changes = view.changes(images, places, matrices, shifts)
    pixel = torch.arange(images.shape[-1], dtype=torch.float64)
    for number, place in enumerate(places):
        centre = view.columns.centre(place.column), view.rows.centre(place.row)
        offsets = torch.stack(torch.meshgrid(pixel - centre[0], pixel - centre[1], indexing="xy"))
        field = torch.einsum("pab,byx->payx", matrices[number], offsets) + shifts[number][:, :, None, None]
        row, column = view.crops(place)
        difference = (remap(images, field) - images)[:, :, row.start : row.stop, column.start : column.stop]
        assert_same(changes[number], difference.flatten(1).norm(dim=1))


def test_a_place_depends_on_its_crop_and_on_nothing_else():
    """Where the gradient of a linear network is not zero, against the crop that geometry gives."""
    torch.manual_seed(1)
    linear = nn.Sequential(
        *(copy.deepcopy(part) for part in HAND_MADE if not isinstance(part, nn.ReLU | nn.MaxPool2d))
    ).double()
    view = LayerView(list(linear), 23)
    for place in view.places:
        image = torch.randn(1, 2, 23, 23, dtype=torch.float64, requires_grad=True)
        linear(image)[0, :, place.row, place.column].sum().backward()
        touched = torch.nonzero(image.grad[0].abs().sum(0))
        row, column = view.crops(place)
        assert touched.amin(0).tolist() == [row.start, column.start]
        assert (touched.amax(0) + 1).tolist() == [row.stop, column.stop]


def test_receptive_fields_of_vgg11_are_the_known_ones():
    views = views_of(build_network("vgg11", 3, 32, 10, width=0.0625), nn.ReLU, 32, 3)
    fields = [view.rows.receptive_field(view.rows.sizes[-1] // 2) for view in views.values()]
    assert [stop - start for start, stop in fields] == [3, 8, 18, 26, 46, 62, 102, 134]
    assert [view.rows.stride for view in views.values()] == [1, 2, 4, 4, 8, 8, 16, 16]
    assert [view.rows.sizes[-1] for view in views.values()] == [32, 16, 8, 8, 4, 4, 2, 2]
    # Fields of two neighbours of the middle lie as far to its left as to its right
    for view in views.values():
        middle = view.rows.sizes[-1] // 2
        assert view.rows.centre(middle - 1) + view.rows.centre(middle) == 31
        assert view.rows.centre(middle) - view.rows.centre(middle - 1) == view.rows.stride


@pytest.mark.parametrize(
    "operations",
    [
        [nn.ZeroPad2d(4), nn.Conv2d(1, 2, 3)],
        [nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 2, 1, padding=1)],
        [nn.Conv2d(1, 3, 1, stride=2), nn.Conv2d(3, 2, 1, padding=2)],
        [nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 2, 3, padding=3)],
        [nn.Conv2d(1, 3, 2, stride=3), nn.Conv2d(3, 2, 3, stride=2, padding=4)],
    ],
)
def test_places_that_see_only_padding_have_the_activations_of_the_whole_image(operations):
    network = nn.Sequential(*copy.deepcopy(operations), nn.ReLU()).double()
    images = torch.randn(2, 1, 9, 9, dtype=torch.float64)
    name, view = list(views_of(network, nn.ReLU, 9, 1).items())[-1]
    whole = activations_of(network, [name], images)[name]
    cropped = view.activations(images, view.places, *nothing(view.places, images)).permute(1, 2, 0)
    assert_same(cropped, whole.flatten(2))


def test_memory_is_bounded_by_batches_that_change_nothing(case, monkeypatch):
    _, views, images = case
    view = list(views.values())[-1]
    arguments = (images, view.places, *nothing(view.places, images))
    expected = view.activations(*arguments)
    monkeypatch.setattr("diffeo_stability.core.cropping.ACTIVATIONS_AT_A_TIME", 1)
    assert_same(view.activations(*arguments), expected)


class Backwards(nn.Module):
    """Registers its operations in another order than it applies them in."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU())
        nn.init.constant_(self.features[0].bias, 10.0)  # alive whatever its weights

    def forward(self, x):
        return self.features[1](self.features[0](2 * x))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (build_network("fully_connected_2", 1, 28, 10), "has no ReLU after convolutions in a row"),
        (Backwards(), "does not apply its operations one after the other up to features.1"),
    ],
)
def test_networks_that_are_no_plain_sequence_are_refused(network, message):
    with pytest.raises(InputError, match=message):
        views_of(network.eval(), nn.ReLU, 28, 1)


def test_images_too_small_for_a_layer_are_refused():
    with pytest.raises(InputError, match="3 x 3 pixels are too small"):
        LayerView([nn.Conv2d(1, 1, 5)], 3)


def test_a_sequence_ends_where_the_network_branches():
    network = build_network("resnet18", 1, 28, 10, width=0.125).eval()
    assert list(sequence_of(network)) == ["conv1", "batchnorm1", "relu1"]
    assert list(views_of(network, nn.ReLU, 28, 1)) == ["relu1"]


def test_a_sequence_ends_where_the_network_flattens():
    names = list(sequence_of(build_network("lenet", 1, 28, 10)))
    assert names == ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2"]
