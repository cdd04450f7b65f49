"""Weights as frameworks save them: under a key of a larger dictionary, and by names with a prefix."""

import codecs
import logging
import re
import reprlib
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, strided

from ..core.errors import InputError, few, printable, shortened

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
# Counts how many batches batch-norm has seen, which older files lack and evaluation does not need
OPTIONAL = "num_batches_tracked"
# Regular expressions of what files begin with
STARTS = {
    rb"version https://git-lfs": "are a Git LFS pointer, not the file that it stands for: run git lfs pull",
    rb"(?i)<!doctype html|<html|<!--": "are a web page, not weights: download them again, from the address of the file itself",
    rb"\x1f\x8b": "are packed by gzip: unpack them",
    rb".{257}ustar": "are a tar archive: unpack it",
    rb"\x89HDF\r\n": "are an HDF5 file, as Keras writes: give a state_dict of torch",
    # Not the length with which a safetensors file begins
    rb"\x08.[\x12\x1a\x3a\x42].{5}[^{]": "are an ONNX model: give the state_dict that it was made of",
}
START = 512  # bytes of a file that tell what it is
SHOWN = 8  # keys
LONGEST_NAME = 100  # letters of one that are shown
logger = logging.getLogger(__name__)


def what_else(start: bytes, suffix: str) -> str | None:
    """Return what a file is instead of weights, and what to do; nothing if its first bytes do not tell.

    Args:
        start: its first bytes, ``START`` if it has so many.
        suffix: of its name, in small letters.
    """
    if not start:
        return "are an empty file: get them again"
    plain = _in_utf8(start).lstrip()
    for beginning, words in STARTS.items():
        if re.match(beginning, plain, re.DOTALL):
            return words
    if suffix != ".safetensors" and start[8:10] == b'{"':
        return "are a safetensors file: let their name end in .safetensors"
    saved_by_torch = start.startswith((b"PK", b"\x80"))  # a zip archive, or a pickle of one of its newer forms
    if suffix == ".safetensors" and saved_by_torch:
        return "are a file of torch.save: let their name end in .pt"
    text = " ".join(_text_of(plain).split())
    if text:
        return f"are a text ({text[:20]} ...): get the file itself"
    if suffix != ".safetensors" and not saved_by_torch:
        return f"begin as no file of torch.save does ({start[:8]!r}): get the file itself, or unpack it"
    return None


def _in_utf8(start: bytes) -> bytes:
    """The same text without a mark of its encoding; what bears none is left as it is."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return start.decode("utf-16", errors="ignore").encode()
    return start.removeprefix(codecs.BOM_UTF8)


def _text_of(start: bytes) -> str:
    """The text that a file begins with, which may end within a letter; empty if it is none."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return ""
    return text if all(letter.isprintable() or letter.isspace() for letter in text) else ""


def tensors_of(content: Any, source: str, size: int) -> dict[str, Tensor]:
    """Return the tensors by name of what a file holds, which may lie under one of the usual keys.

    Args:
        content: what was read.
        source: the file, for errors.
        size: of the file, in bytes.

    Raises:
        InputError: there are none, or several, they hold NaN, or stand for more numbers than the file holds.
    """
    if _are_tensors(content):
        return _usable(content, source, size)
    found = [key for key in WRAPPERS if isinstance(content, Mapping) and _are_tensors(content.get(key))]
    if len(found) == 1:
        logger.info("weights %s: taken from the key %s", source, found[0])
        return _usable(content[found[0]], source, size)
    if found:
        raise InputError(
            f"weights {source} hold several networks ({', '.join(found)}): save the state_dict() of one alone"
        )
    raise InputError(
        f"weights {source} hold something else than tensors by name ({_described(content)}): save the network's state_dict() "
        "alone"
    )


def _described(content: Any) -> str:
    """What a file holds in place of tensors by name: its type, or the keys of what is none, and of what holds such tensors."""
    if not isinstance(content, Mapping) or not content:
        return f"{'an empty' if content == {} else 'a'} {type(content).__name__}"
    keys = [_shown(key) for key, value in content.items() if not isinstance(key, str) or not isinstance(value, Tensor)]
    tensors = [_shown(key) for key, value in content.items() if _are_tensors(value)]
    hint = f"; tensors by name are under {', '.join(tensors[:SHOWN])}" if tensors else ""
    return f"under {few(keys, SHOWN)}{hint}"


def _shown(name: Any) -> str:
    # Of tuples within tuples a few bytes may stand for any number
    text = name if isinstance(name, str) else reprlib.repr(name)
    return shortened(printable(text), LONGEST_NAME)


def _are_tensors(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items())
    )


def _usable(weights: Mapping[str, Tensor], source: str, size: int) -> dict[str, Tensor]:
    """The same weights, each of which the file holds and none of which is NaN."""
    without = next((name for name, tensor in weights.items() if tensor.is_meta), None)
    if without is not None:
        raise InputError(
            f"weights {source}: {_shown(without)} holds no numbers, but their shape alone: save them from another device"
        )
    dense = {name: tensor for name, tensor in weights.items() if tensor.layout == strided}
    memory = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in dense.values()}
    repeated = [name for name, tensor in dense.items() if tensor.nbytes > tensor.untyped_storage().nbytes()]
    if repeated or sum(memory.values()) > size:
        what = _shown(repeated[0]) if repeated else "what they hold"
        raise InputError(
            f"weights {source}: {what} stands for more numbers than the file has: save clones of all tensors"
        )
    for name, tensor in dense.items():
        if tensor.is_floating_point() and tensor.isnan().any():
            raise InputError(
                f"weights {source}: {_shown(name)} holds NaN: replace them, they are damaged or of a training that failed"
            )
    return dict(weights)


def without_prefix(weights: Mapping[str, Tensor], expected: Collection[str]) -> dict[str, Tensor]:
    """Return weights by the names that a network expects, where all have one prefix more, or one of ``PREFIXES`` less.

    Left as they are if they fit, or if no prefix makes them fit: then loading them says what is missing.

    Raises:
        InputError: several prefixes make them fit.
    """
    needed = {name for name in expected if not name.endswith(OPTIONAL)}
    if not needed or needed <= set(weights):
        return dict(weights)
    first = min(needed)
    prefixes = {name.removesuffix(first) for name in weights if name.endswith(f".{first}")}
    fitting = sorted(prefix for prefix in prefixes if all(prefix + name in weights for name in needed))
    if len(fitting) > 1:
        raise InputError(
            f"the weights fit by several prefixes of their names ({', '.join(fitting)}): save one network alone"
        )
    if not fitting:
        return _with_prefix(weights, needed)
    (prefix,) = fitting
    logger.info("weights: the prefix %s is taken off their names", prefix)
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def _with_prefix(weights: Mapping[str, Tensor], needed: Collection[str]) -> dict[str, Tensor]:
    """The same by the names of a network that stands in a wrapper, if that makes them fit."""
    prefix = next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in needed)), "")
    if not prefix or not {name.removeprefix(prefix) for name in needed} <= set(weights):
        return dict(weights)
    logger.info("weights: the prefix %s is put before their names, as the network is in a wrapper", prefix)
    return {prefix + name: value for name, value in weights.items()}


def hint_of_prefix(weights: Collection[str]) -> str:
    """Return in words the prefix that all names of weights that do not fit have, if it is a usual one; else nothing."""
    common = next((prefix for prefix in PREFIXES if weights and all(name.startswith(prefix) for name in weights)), None)
    return f" (all their names begin with {common!r}, which a wrapper put there)" if common else ""
