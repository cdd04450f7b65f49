"""What counts as a model, and which of its outputs are measured."""

import dataclasses
from collections import OrderedDict, namedtuple

import pytest
import torch
from torch import nn

from diffeo_stability import InputError, relative_stability, stability_by_operation
from diffeo_stability.core.models import logits_of
from diffeo_stability.networks.external import own_network

IMAGES = torch.rand(20, 2, 12, 12, generator=torch.Generator().manual_seed(0))
LOGITS, OTHER = torch.ones(4, 3), torch.zeros(4, 5)
Pair = namedtuple("Pair", ["hidden", "logits"])


@dataclasses.dataclass
class Found:
    loss: torch.Tensor | None
    logits: torch.Tensor
    hidden_states: tuple = (OTHER,)


class ModelOutput(OrderedDict):
    """A dictionary of a class of its own, as libraries return it."""


def readout(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * 12 * 12, 3))


def r(model, **settings):
    return relative_stability(model, IMAGES, resamples=50, seed=0, **settings)


@pytest.mark.parametrize(
    "output",
    [
        LOGITS,
        (LOGITS,),
        [None, LOGITS],
        {"loss": OTHER, "logits": LOGITS},
        {"features": LOGITS, "config": "small"},
        ({"out": LOGITS}, ()),
        Found(None, LOGITS),
        Pair(OTHER, LOGITS),
        ModelOutput(hidden_states=(OTHER, OTHER), logits=LOGITS),
    ],
)
def test_logits_are_taken_where_they_are_clear(output):
    assert logits_of(output) is LOGITS


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ((LOGITS, OTHER), r"tuple with 0 \(4, 3\), 1 \(4, 5\): which is meant"),
        ({"last": LOGITS, "all": [OTHER, OTHER]}, r"dict with last \(4, 3\), all.0 \(4, 5\), all.1 \(4, 5\)"),
        ({"logits": [LOGITS, OTHER]}, r"logits.0 \(4, 3\), logits.1"),
        ((), "tuple with no tensor"),
        (list(torch.ones(40, 3)), r"list with 0 \(3,\), .*7 \(3,\) and 32 more: which is meant"),
    ],
)
def test_what_a_model_returns_is_named_where_they_are_not(output, message):
    with pytest.raises(InputError, match=message):
        logits_of(output)
    with pytest.raises(InputError, match=message):
        r(lambda images: output)


def test_outputs_in_a_container_are_measured_as_the_tensor_alone():
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = readout()

        def forward(self, x):
            return {"logits": self.net(x), "image": x}

    assert r(Wrapped()) == r(readout())
    assert list(stability_by_operation(Wrapped(), IMAGES, resamples=50)) == ["net.1"]


def test_any_callable_is_measured():
    net = readout()
    assert r(lambda images: net(images)) == r(net)
    assert r(net.forward) == r(net)


@pytest.mark.parametrize(
    ("model", "message"), [(nn.Linear, "the class Linear"), (3, "of type int"), (None, "of type NoneType")]
)
def test_what_cannot_be_called_is_named(model, message):
    for measure in (relative_stability, stability_by_operation):
        with pytest.raises(InputError, match=f"model is {message}: it must be a torch module"):
            measure(model, IMAGES)


def test_a_callable_has_no_parts_to_look_at():
    net = readout()
    with pytest.raises(InputError, match="batch_norm='batch' looks at the parts of a torch module"):
        r(net.forward, batch_norm="batch")
    with pytest.raises(InputError, match="measuring by operation looks at the parts"):
        stability_by_operation(net.forward, IMAGES)
    with pytest.raises(InputError, match="batch_norm is 'whole'"):
        r(net.forward, batch_norm="whole")


class Shared(nn.Module):
    """One convolution under two names, whose weight a third one has, too."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 2, 3, padding=1)
        self.again = self.first
        self.tied = nn.Conv2d(2, 2, 3, padding=1)
        self.tied.weight = self.first.weight
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x):
        return self.tied(self.norm(self.again(self.norm(self.first(x))))).flatten(1)


@pytest.mark.parametrize("batch_norm", ["running", "batch"])
def test_one_layer_under_two_names_is_measured_at_each_of_its_calls(batch_norm):
    torch.manual_seed(0)
    model = Shared()
    settings = {"resamples": 50, "seed": 0, "batch_norm": batch_norm, "batch_size": 30}
    measured = stability_by_operation(model, IMAGES, **settings)
    assert list(measured) == ["first", "norm", "first#2", "norm#2", "tied"]
    whole = relative_stability(model, IMAGES, **settings)
    assert measured["tied"].relative.value == pytest.approx(whole.relative.value)


def lazy(in_channels=2, image_size=12, classes=3):
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(classes))


@pytest.mark.parametrize("batch_norm", ["running", "batch"])
def test_lazy_layers_are_initialised_by_a_first_pass(batch_norm):
    torch.manual_seed(0)
    model = lazy()
    measured = r(model, batch_norm=batch_norm)
    assert model[4].weight.shape == (3, 4 * 10 * 10)
    assert measured == r(model, batch_norm=batch_norm)
    by_operation = stability_by_operation(lazy(), IMAGES, resamples=50, batch_norm=batch_norm)
    assert list(by_operation) == ["0", "1", "2", "4"]


def test_own_networks_have_no_layer_left_that_waits_for_its_size(tmp_path, monkeypatch):
    (tmp_path / "my_lazy.py").write_text(
        "from torch import nn\n"
        "def net(in_channels, image_size, classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert own_network("my_lazy:net", 2, 12, 7)[1].weight.shape == (7, 2 * 12 * 12)
