"""Which networks and weights timm and torchvision have, read from their sources: importing them takes seconds."""

import difflib
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

FUNCTION = re.compile(r"^def ([A-Za-z]\w*)\(", re.MULTILINE)
OTHER_NAME = re.compile(r"""^@register_model\(name=["'](\w+)["']""", re.MULTILINE)


@cache
def network_names(library: str) -> frozenset[str]:
    """Return the names of all networks of a library that is installed, among names that are none."""
    found = (name for text in _sources_of(library) for kind in (FUNCTION, OTHER_NAME) for name in kind.findall(text))
    return frozenset(found)


def unknown_network(library: str, name: str) -> str | None:
    """Return in words that a library has no network of a name; nothing if it may have one.

    Args:
        name: as the library takes it; one of timm may end in the tag of its weights.
    """
    known = network_names(library)
    network = name.partition(".")[0] if library == "timm" else name
    if network in known:
        return None
    near = ", ".join(difflib.get_close_matches(network, sorted(known), n=5)) or "nothing of a similar name"
    return f"{library}:{name} is not known to {library}; it has {near}"


def torchvision_weights(network: str) -> list[str]:
    """Return the names of the weights that torchvision has for a network; nothing if its sources do not tell.

    They do not of quantized networks, which are functions of the same names as the others.
    """
    for text in _sources_of("torchvision"):
        if OTHER_NAME.search(text):
            continue
        function = re.search(rf"^def {network}\((.*?)\) ->", text, re.MULTILINE | re.DOTALL)
        kind = function and re.search(r"\bweights: [^=]*?(\w+Weights)\b", function[1])
        block = kind and re.search(rf"^class {kind[1]}\(WeightsEnum\):\n((?:    .*\n|\n)+)", text, re.MULTILINE)
        if block:
            return re.findall(r"^    (\w+) = ", block[1], re.MULTILINE)
    return []


def _sources_of(library: str) -> Iterator[str]:
    spec = find_spec(library)
    for folder in spec.submodule_search_locations if spec else ():
        for path in sorted(Path(folder, "models").rglob("*.py")):
            yield path.read_text()
