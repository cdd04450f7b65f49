"""What a run needs of the user's own code and of other libraries is missed when it is planned, and none of it is run."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from diffeo_stability.core.errors import InputError
from diffeo_stability.pipeline import own_code
from diffeo_stability.pipeline.code import CodeOf
from diffeo_stability.pipeline.library_names import network_names, torchvision_weights
from diffeo_stability.pipeline.own_code import check_own_code

GOOD = "def net(in_channels, image_size, classes): ...\n"


def run(*architectures, weights=None, scale=None):
    blocks = {str(k): SimpleNamespace(architecture=name, weights=weights) for k, name in enumerate(architectures)}
    return SimpleNamespace(networks=blocks, datasets={"mine": SimpleNamespace(scale=scale)})


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Checks networks of a module with a given text, which stops the test if it is run."""
    monkeypatch.syspath_prepend(tmp_path)

    def checked(text, *architectures):
        module = f"mine{len(list(tmp_path.iterdir()))}"
        (tmp_path / f"{module}.py").write_text(f"{text}\nraise SystemExit\n")
        names = architectures or (f"{module}:net",)
        check_own_code(run(*names))

    return checked


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "def net(classes, in_channels=3, *, image_size, depth=4): ...",
        "def net(**sizes): ...",
        "net = object()",
        "def other(): ...\nnet = other",
        "from torch.nn import Linear as net",
        "from torch.nn import *",
        "def __getattr__(name): ...",
        "class net: ...",
        "import functools\n@functools.cache\ndef net(*anything): ...",
        "try:\n    import missing\nexcept ImportError:\n    " + GOOD,
        "if True:\n    pass\nelse:\n    net = 1",
        "import sys\nsys.path.append('elsewhere')\nimport no_such_package\n" + GOOD,
        "def net(): ...\n" + GOOD,
    ],
)
def test_networks_of_ones_own_that_are_there_are_taken(check, text):
    check(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def nett(in_channels, image_size, classes): ...", r"network mine0:net: .*mine0.py has no net"),
        ("def other():\n    " + GOOD, "has no net"),
        ("class Other:\n    " + GOOD, "has no net"),
        ("def net(in_channels, image_size): ...", "net must take the keywords in_channels, image_size, classes"),
        ("def net(in_channels, image_size, classes, depth): ...", "and need no other"),
        ("def net(in_channels, image_size, classes, *, depth): ...", "and need no other"),
        ("def net(in_channels, image_size, classes, /): ...", "must take the keywords"),
        ("def net(:", "is no Python: invalid syntax"),
        ("import no_such_package\n" + GOOD, "mine0.py imports no_such_package, which is not installed: install it"),
        ("from no_such_package.parts import part\n" + GOOD, "imports no_such_package"),
    ],
)
def test_what_is_wrong_with_them_is_said_in_one_line(check, text, message):
    with pytest.raises(InputError, match=message) as caught:
        check(text)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "x = " + 100_000 * "-" + "1",
        "x = 1" + 3000 * " + 1",
        "x = 1" + 900 * " + 1",
        "if 0: pass\n" + 500 * "elif 1: pass\n",
        "x = x" + 900 * ".y()",
        "from " + 200 * "." + " import x",
    ],
    ids=["signs", "long sum", "sum", "branches", "calls", "folders above"],
)
def test_what_is_too_deep_to_be_read_is_said_in_one_line(check, text):
    with pytest.raises(InputError) as caught:
        check(f"{GOOD}{text}\n")
        # A run's plan reads the same file
        CodeOf(Path(), run("mine0:net")).network("0")
    assert "mine0.py" in str(caught.value) and re.search("divide them|take dots away", str(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"# -*- coding: latin-1 -*-\n# \xe9\n"])
def test_files_in_any_encoding_that_python_takes_are_taken(tmp_path, monkeypatch, start):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "encoded.py").write_bytes(start + GOOD.encode())
    check_own_code(run("encoded:net"))
    with pytest.raises(InputError, match="encoded.py has no other"):
        check_own_code(run("encoded:other"))


def test_every_network_that_cannot_be_built_is_named(check):
    names = "lenet", "no_such_module:net", "json.no_such_module:net", "json:no_such_name", "torchvision:resnet18"
    with pytest.raises(InputError) as caught:
        check(GOOD, *names)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"network {name}" for name in names[1:4]]
    assert "start with PYTHONPATH=<the folder of no_such_module>" in lines[0]


def test_packages_that_are_not_installed_are_named_with_what_needs_them(monkeypatch):
    check_own_code(run("torchvision:resnet18", weights="package:torchvision/weights.pt", scale=([0.5], [0.5])))
    monkeypatch.setattr(own_code, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        check_own_code(run("timm:resnet18", "lenet", weights="package:mine/weights.pt", scale="torchvision:resnet18"))
    assert str(caught.value).splitlines() == [
        "network timm:resnet18 needs timm, which is not installed: install it",
        "weights package:mine/weights.pt needs mine, which is not installed: install it",
        "dataset.normalisation torchvision:resnet18 needs torchvision, which is not installed: install it",
    ]


def test_networks_and_weights_that_libraries_do_not_have_are_named():
    """Without importing the libraries, which takes seconds."""
    for name in ("torchvision:resnet18", "torchvision:quantized_googlenet", "timm:resnet18", "timm:resnet18.a1_in1k"):
        check_own_code(run(name))
    check_own_code(run("torchvision:resnet18", weights="torchvision:IMAGENET1K_V1", scale="torchvision:vgg11_bn"))
    with pytest.raises(InputError) as caught:
        check_own_code(run("torchvision:resnet188", "timm:ressnet18.a1_in1k", scale="timm:no_net_of_any_kind"))
    first, second, third = str(caught.value).splitlines()
    assert first.startswith("network torchvision:resnet188 is not known to torchvision; it has resnet18")
    assert second.startswith("network timm:ressnet18.a1_in1k is not known to timm; it has ") and "resnet18" in second
    assert (
        third == "dataset.normalisation timm:no_net_of_any_kind is not known to timm; it has nothing of a similar name"
    )
    for name, message in (
        ("torchvision:resnet18", "IMAGENET1K_V7 are not known; torchvision:resnet18 has IMAGENET1K_V1, DEFAULT"),
        ("lenet", "weights torchvision:IMAGENET1K_V7 need a network of torchvision, not lenet"),
    ):
        with pytest.raises(InputError, match=message):
            check_own_code(run(name, weights="torchvision:IMAGENET1K_V7"))


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_every_network_of_a_library_is_among_the_names_in_its_sources(library):
    module = pytest.importorskip({"timm": "timm", "torchvision": "torchvision.models"}[library])
    assert set(module.list_models()) <= network_names(library)


def test_the_weights_of_every_classifier_of_torchvision_are_found_in_its_sources():
    from torchvision import models

    for name in models.list_models(module=models):
        assert set(torchvision_weights(name)) == {*models.get_model_weights(name).__members__}, name
