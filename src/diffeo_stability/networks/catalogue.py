"""Which networks there are, read from the files that define them without running these: planning a run imports no torch.

A network registers where it is written::

    declare_family("vgg", "VGG", color="olive", kinds=("convolutional", "deep", "sequence"))


    @register("vgg11", "VGG11", "vgg", layers=11)
    def vgg(in_channels, image_size, classes, width=1.0, *, layers): ...

The decorator does nothing when the module runs. Its arguments must be literals, because they are read from the source.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

ARCHITECTURES = Path(__file__).parent / "architectures"
LIBRARIES = ("timm", "torchvision")
COLORS = ("rose", "indigo", "sand", "green", "cyan", "wine", "teal", "olive", "purple")  # Paul Tol's muted scheme
Builder = TypeVar("Builder", bound=Callable)


@dataclass(frozen=True)
class Family:
    """Networks that are drawn in one colour.

    Attributes:
        name: beginning of its networks' names, by which networks of libraries and of one's own are known too.
        label: what figures call it.
        color: one of ``COLORS``.
        kinds: ``convolutional``; ``deep``; ``simple``; ``sequence``, a plain sequence of convolutions; ``one_hidden_layer``.
        ending: end of its networks' names, where the beginning does not tell.
    """

    name: str
    label: str
    color: str
    kinds: tuple[str, ...] = ()
    ending: str = ""


@dataclass(frozen=True)
class Network:
    """A network of this package.

    Attributes:
        name: by which configurations and :func:`build_network` know it.
        label: what figures call it.
        family: name of its family.
        module, function: that build it.
        options: what the function is called with besides sizes and width.
        takes: names of the function's arguments.
        kinds: besides those of its family.
    """

    name: str
    label: str
    family: str
    module: str
    function: str
    takes: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def register(
    name: str, label: str, family: str, *, kinds: tuple[str, ...] = (), **options: Any
) -> Callable[[Builder], Builder]:
    """Name a network that the decorated function builds; may stand above it several times, with other options.

    Args:
        name, label, family, kinds: see :class:`Network`.
        options: keywords with which the function is called.
    """
    return lambda function: function


def declare_family(name: str, label: str, *, color: str, kinds: tuple[str, ...] = (), ending: str = "") -> None:
    """Name a family of networks; see :class:`Family`."""


@cache
def networks() -> dict[str, Network]:
    """Return all networks by name."""
    return {network.name: network for path in _sources() for network in _networks_of(path)}


@cache
def families() -> dict[str, Family]:
    """Return all families by label."""
    declared = (call for path in _sources() for call in _calls(ast.parse(path.read_text()).body, "declare_family"))
    return {family.label: family for family in (Family(*_positional(call), **_keywords(call)) for call in declared)}


def family_of(architecture: str) -> Family | None:
    """Return the family of a network, also of one of a library or of one's own whose name begins as a family's does."""
    name = architecture.partition(":")[2] or architecture
    matching = [
        family for family in families().values() if name.startswith(family.name) and name.endswith(family.ending)
    ]
    return max(matching, key=lambda family: (len(family.name), len(family.ending)), default=None)


def kinds_of(architecture: str) -> tuple[str, ...]:
    """Return what kinds of network one is."""
    family, known = family_of(architecture), networks().get(architecture)
    return (*(family.kinds if family else ()), *(known.kinds if known else ()))


def _sources() -> list[Path]:
    return sorted(ARCHITECTURES.glob("[!_]*.py"))


def _networks_of(path: Path) -> Iterator[Network]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            takes = tuple(argument.arg for argument in (*arguments.args, *arguments.kwonlyargs))
            for call in _calls(node.decorator_list, "register"):
                keywords = _keywords(call)
                options = {name: value for name, value in keywords.items() if name != "kinds"}
                yield Network(*_positional(call), path.stem, node.name, takes, keywords.get("kinds", ()), options)


def _calls(nodes: list[ast.AST], function: str) -> list[ast.Call]:
    """Calls of a function among statements or decorators."""
    expressions = [node.value if isinstance(node, ast.Expr) else node for node in nodes]
    calls = [node for node in expressions if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == function]


def _positional(call: ast.Call) -> list[Any]:
    return [ast.literal_eval(argument) for argument in call.args]


def _keywords(call: ast.Call) -> dict[str, Any]:
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
