"""Reads the keys of configuration files, and those of the command line, as YAML means them; what they must be is not checked."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import InputError, one_line
from ..data.files import read_bounded

MOST_VALUES = 100_000  # of a configuration, aliases written out; thousands of networks have fewer
MERGE = "tag:yaml.org,2002:merge"  # of the key <<, which stands for the keys of another block
LARGEST_FILE = 16 * 2**20  # bytes of a configuration


class _Loader(yaml.SafeLoader):
    """Reads YAML whose keys are text and stand there once; without it the last of several wins, and ``007`` is 7.

    Of aliases of aliases a few lines can stand for billions of values: it is counted first how many there are.
    """

    def get_single_node(self) -> yaml.Node | None:
        node, known = super().get_single_node(), {}
        if node is not None and _values_in(node, known) > MOST_VALUES:
            raise yaml.YAMLError(f"it stands for more than {MOST_VALUES:,} values: write out its aliases (*)")
        # Before << is written out, which puts keys of one block into another
        for block in known:
            if isinstance(block, yaml.MappingNode):
                self._check_keys(block)
        return node

    def _check_keys(self, block: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key_node, _ in block.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            text = key_node.value
            key = text if key_node.tag == MERGE else self.construct_object(key_node)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(problem=f"key {text} is read as {key!r}, not as text: write it in quotes")
            if text in seen:
                raise yaml.MarkedYAMLError(problem=f"key {text} stands there twice", problem_mark=key_node.start_mark)
            seen.add(text)


def _values_in(node: yaml.Node, known: dict[yaml.Node, float]) -> float:
    """How many values a node stands for, those of its aliases each time; without end, if it is within itself.

    Args:
        known: of nodes that were counted; gets those that are counted here.
    """
    if node not in known:
        known[node] = math.inf
        within = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = [part for entry in within for part in (entry if isinstance(entry, tuple) else (entry,))]
        known[node] = 1 + sum(_values_in(part, known) for part in parts)
    return known[node]


def read_yaml(path: str | Path) -> Any:
    """Read a configuration file's keys, unchecked but for being text and there once.

    Raises:
        InputError: the file is missing, no YAML, has a key twice or one that is no text, or stands for too much.
    """
    try:
        return _Loader(read_bounded(path, LARGEST_FILE)).get_single_data()
    except InputError:
        raise
    except Exception as error:  # constructors of dates, numbers and the like have errors of their own
        raise InputError(f"config {path} cannot be read: {one_line(error)}") from None


def typed(given: Any) -> Any:
    """Return values of the command line as they would be in a file: Snakemake takes what stands in brackets there for texts.

    Args:
        given: what ``--config`` gave, by key, and within it lists, blocks and single values.
    """
    if isinstance(given, Mapping):
        return {key: typed(value) for key, value in given.items()}
    if isinstance(given, list):
        return [typed(value) for value in given]
    try:
        value = yaml.safe_load(given) if isinstance(given, str) else given
    except (yaml.YAMLError, RecursionError):
        return given
    return given if isinstance(value, Mapping | list) else value
