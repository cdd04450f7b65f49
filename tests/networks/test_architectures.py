"""Networks: shapes, names, and the same outputs as torchvision's where it defines the same network."""

import pytest
import torch
import torchvision.models
from torch import nn

from diffeo_stability import InputError, build_network
from diffeo_stability.core.operations import kind_of, named_operations, observing
from diffeo_stability.networks.architectures.one_hidden_layer import LocallyConnected2d
from diffeo_stability.networks.catalogue import families, family_of, kinds_of, networks
from diffeo_stability.networks.classes import BY_HES_RULE


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    """Give ``target`` the weights of ``source``, entry by entry: both register them in the same order."""
    weights, names = source.state_dict(), list(target.state_dict())
    assert len(weights) == len(names)
    target.load_state_dict(dict(zip(names, weights.values(), strict=True)))


def randomise_batch_norm(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)


@torch.no_grad()
def assert_same_outputs(ours: nn.Module, theirs: nn.Module) -> None:
    """In double precision, in which no number of layers makes rounding visible."""
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    ours, theirs = ours.double().eval()(images), theirs.double().eval()(images)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * float(theirs.std()))


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("channels, size", [(1, 28), (3, 32), (3, 48)])
@pytest.mark.parametrize("name", networks())
def test_every_network_gives_logits(name, channels, size):
    network = build_network(name, channels, size, 7, width=0.125)
    assert network.eval()(torch.randn(2, channels, size, size)).shape == (2, 7)


def test_networks_of_libraries_and_of_ones_own_are_of_the_family_that_their_names_begin_with():
    assert family_of("torchvision:vgg16_bn") == family_of("vgg11_bn") != family_of("torchvision:vgg16")
    assert family_of("my.networks:resnet_wide") == family_of("resnet18") and family_of("timm:swin_tiny") is None
    assert "sequence" in kinds_of("one_hidden_layer_cnn") and "sequence" not in kinds_of("one_hidden_layer_lcn")
    assert {network.family for network in networks().values()} == set(families())


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_resnet_equals_torchvisions_with_the_small_image_stem(name):
    theirs = torchvision.models.get_model(name, num_classes=10)
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    randomise_batch_norm(theirs)
    ours = build_network(name, 3, 32, 10)
    copy_in_order(theirs, ours)
    assert_same_outputs(ours, theirs)


@pytest.mark.parametrize("name", [f"vgg{layers}{norm}" for layers in (11, 13, 16, 19) for norm in ("", "_bn")])
def test_vgg_features_equal_torchvisions(name):
    with torch.device("meta"):  # drawing weights, most of all of the classifier, takes longer than all else
        theirs = torchvision.models.get_model(name).features
    theirs.to_empty(device="cpu")
    ours = build_network(name, 3, 32, 10)
    features = ours[: list(ours._modules).index("flatten1")]
    randomise_batch_norm(features)
    copy_in_order(features, theirs)
    assert_same_outputs(features, theirs)


@pytest.mark.parametrize("layers", [16, 19])
def test_images_stay_apart_in_an_untrained_deep_vgg_without_batch_norm(layers):
    """He's rule keeps the spread; as torch draws them, the logits of 16 layers differ by 4e-7, and training never starts."""
    logits = build_network(f"vgg{layers}", 3, 32, 10, width=0.5)(torch.randn(16, 3, 32, 32))
    assert float(logits.detach().std(0).mean()) > 0.01


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "vgg11_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"])
def test_claims_know_which_nets_are_drawn_by_hes_rule(name):
    """As torch draws weights, they lie within 1 / sqrt(fan in)."""
    network = build_network(name, 3, 32, 10, width=0.25)
    weights = [module.weight.detach() for module in network.modules() if isinstance(module, nn.Conv2d)]
    beyond = any(float(weight.abs().max()) > 1.001 * weight[0].numel() ** -0.5 for weight in weights)
    assert beyond == (name in BY_HES_RULE)


def test_efficientnet_equals_torchvisions_with_the_small_image_stem():
    theirs = torchvision.models.efficientnet_b0(num_classes=10)
    theirs.features[0][0] = nn.Conv2d(3, 32, 3, padding=1, bias=False)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-5
    randomise_batch_norm(theirs)
    ours = build_network("efficientnet_b0", 3, 32, 10)
    copy_in_order(theirs, ours)
    assert_same_outputs(ours, theirs)


def test_operations_of_vgg_have_readable_names_in_order():
    names = list(named_operations(build_network("vgg11_bn", 3, 32, 10, width=0.125)))
    assert names[:8] == ["conv1", "batchnorm1", "relu1", "pool1", "conv2", "batchnorm2", "relu2", "pool2"]
    assert names[8:11] == ["conv3", "batchnorm3", "relu3"]
    assert names[-1] == "linear1"
    assert sum(name.startswith("conv") for name in names) == 8


@pytest.mark.parametrize("name", networks())
def test_operations_are_registered_in_order_of_execution(name):
    network = build_network(name, 3, 32, 10, width=0.125).eval()
    seen = []
    with observing(network, lambda operation, _output: seen.append(operation)):
        network(torch.randn(1, 3, 32, 32))
    assert seen == list(named_operations(network))


def test_residual_blocks_name_their_sum():
    names = list(named_operations(build_network("resnet18", 3, 32, 10, width=0.125)))
    assert "block1.residual.conv1" in names and "block1.add" in names and "block3.shortcut.conv1" in names
    assert "block1.shortcut" not in names  # which passes on what it gets


@pytest.mark.parametrize("name", ["fully_connected_4", "lenet", "alexnet", "vgg11", "resnet18", "efficientnet_b0"])
def test_width_multiplies_channels(name):
    sizes = [
        sum(p.numel() for p in build_network(name, 3, 32, 10, width=width).parameters()) for width in (0.25, 0.5, 1.0)
    ]
    assert sizes[0] < sizes[1] < sizes[2]
    if name == "vgg11":
        network = build_network(name, 3, 32, 10, width=0.25)
        assert network.conv1.out_channels == 16 and network.conv8.out_channels == 128


@pytest.mark.parametrize("layers", [2, 4, 6])
def test_fully_connected_networks_have_as_many_linear_maps_as_they_say(layers):
    network = build_network(f"fully_connected_{layers}", 3, 32, 10)
    assert sum(isinstance(module, nn.Linear) for module in network) == layers


@pytest.mark.parametrize("size", [9, 8, 7])
def test_locally_connected_layer_with_equal_filters_is_a_convolution_that_skips_from_patch_to_patch(size):
    convolution = nn.Conv2d(2, 5, 3, stride=3).double()
    local = LocallyConnected2d(2, 5, 3, size).double()
    with torch.no_grad():
        local.weight.copy_(convolution.weight[..., None, None].expand_as(local.weight))
        local.bias.copy_(convolution.bias[:, None, None].expand_as(local.bias))
    images = torch.randn(4, 2, size, size, dtype=torch.float64)
    before, after = (9 - size) // 2, (10 - size) // 2
    padded = nn.functional.pad(images, (before, after, before, after))
    torch.testing.assert_close(local(images), convolution(padded))


def test_locally_connected_layer_has_filters_of_its_own_at_every_place():
    local = LocallyConnected2d(1, 1, 3, 6).double()
    with torch.no_grad():
        local.bias.zero_()
    constant = local(torch.ones(1, 1, 6, 6, dtype=torch.float64))[0, 0]
    torch.testing.assert_close(constant, local.weight[0, 0].sum((0, 1)))
    assert constant.std() > 0


@pytest.mark.parametrize("size", [8, 11, 28, 30, 32])
@pytest.mark.parametrize(
    ("name", "pixels_of_a_place"),
    [("one_hidden_layer_cnn", 4), ("one_hidden_layer_lcn", 5), ("one_hidden_layer_gap", None)],
)
def test_read_outs_of_one_hidden_layer_have_a_place_for_every_part_of_the_image(name, pixels_of_a_place, size):
    network = build_network(name, 1, size, 10, width=0.0625)
    places = -(-size // pixels_of_a_place) if pixels_of_a_place else 1
    assert network.linear1.in_features == 4 * places**2
    with torch.no_grad():
        for weights in network.parameters():
            weights.abs_()
    images = torch.zeros(size**2, 1, size, size)
    images.flatten(1).fill_diagonal_(100.0)  # one bright pixel each
    outputs = network(images)
    assert (outputs - network(torch.zeros(1, 1, size, size))).abs().amax(1).min() > 0, "no pixel is left out"


def test_filter_size_reaches_the_filters():
    assert build_network("one_hidden_layer_cnn", 1, 28, 10, filter_size=9).conv1.kernel_size == (9, 9)


@pytest.mark.parametrize("name", ["torchvision:mobilenet_v3_small", "timm:resnet10t"])
def test_networks_of_other_libraries_are_built(name):
    assert build_network(name, 3, 32, 7).eval()(torch.randn(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg12", 3, 32, 10), "vgg12.*not known; there are alexnet"),
        (("torchvision:resnet17", 3, 32, 10), "not known to torchvision; it has resnet1"),
        (("torchvision:resnet18", 1, 32, 10), "3 channels"),
        (("lenet", 1, 12, 10), "at least 16 pixels"),
        (("lenet", 0, 28, 10), "in_channels is 0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        build_network(*arguments)


def test_options_that_a_network_does_not_take_are_refused():
    with pytest.raises(InputError, match="width is -1"):
        build_network("lenet", 1, 28, 10, width=-1)
    with pytest.raises(InputError, match="takes no filter_size"):
        build_network("lenet", 1, 28, 10, filter_size=3)
    with pytest.raises(InputError, match="must be odd"):
        build_network("one_hidden_layer_cnn", 1, 28, 10, filter_size=4)
    with pytest.raises(InputError, match="neither width"):
        build_network("torchvision:resnet18", 3, 32, 10, width=0.5)


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(InputError, match="pip install timm"):
        build_network("timm:resnet10t", 3, 32, 10)


class PaddedConvolution(nn.Conv2d):
    """As libraries build those that keep an image's size at any stride: it pads by a module of its own."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.padding_of_its_own = nn.ZeroPad2d(1)

    def forward(self, x):
        return super().forward(self.padding_of_its_own(x))


def test_a_convolution_that_pads_by_a_module_of_its_own_is_one_operation():
    network = nn.Sequential(PaddedConvolution(1, 2, 3), nn.ReLU(), nn.ZeroPad2d(1))
    assert list(named_operations(network)) == ["0", "1", "2"]
    assert [kind_of(operation) for operation in network] == ["conv", "relu", "pad"]
    seen = []
    with observing(network, lambda name, output: seen.append((name, tuple(output.shape)))):
        network(torch.zeros(1, 1, 4, 4))
    assert seen == [("0", (1, 2, 4, 4)), ("1", (1, 2, 4, 4)), ("2", (1, 2, 6, 6))]


def test_a_name_of_timm_may_say_which_weights_it_means():
    pytest.importorskip("timm")
    assert build_network("timm:test_resnet.r160_in1k", 3, 32, 10)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    with pytest.raises(
        InputError, match=r"timm:test_resnet.r160_in2k is not known to timm; it has test_resnet.r160_in1k"
    ):
        build_network("timm:test_resnet.r160_in2k", 3, 32, 10)
