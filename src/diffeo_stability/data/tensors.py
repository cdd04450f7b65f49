"""Named tensors in safetensors files: written atomically, read whole with their metadata."""

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from .files import METADATA, atomic_path

MOST_TENSORS = 100_000  # of a file; networks have thousands, and each takes time, however empty it is


def save_tensors(tensors: dict[str, Tensor], path: str | Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors to a safetensors file, atomically, in their usual memory layout; the same tensors, the same bytes.

    Tensors that share memory, such as tied weights, are written once for each of their names. The library writes several entries
    of metadata in an order that changes from run to run, so that there is only one.

    Raises:
        InputError: the file cannot be written, for want of space, say.
    """
    packed = None if metadata is None else {METADATA: json.dumps(metadata, sort_keys=True)}
    with atomic_path(path) as partial:
        # The library's own writing leaves files of arbitrary names behind when it is killed
        partial.write_bytes(save(_apart(tensors), packed))


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors on the CPU, each contiguous and in memory of its own, as the library asks for."""
    apart: dict[str, Tensor] = {}
    taken: set[int] = set()
    for name, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        memory = own.untyped_storage().data_ptr()
        apart[name] = own.clone() if memory in taken else own
        taken.add(memory)
    return apart


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a safetensors file and its metadata.

    Raises:
        OSError, SafetensorError, ValueError: the file is missing, truncated or no safetensors file, or holds too many tensors.
    """
    with safe_open(path, framework="pt") as file:
        names = file.keys()
        if len(names) > MOST_TENSORS:
            raise ValueError(f"it holds {len(names):,} tensors, and {MOST_TENSORS:,} are the most")
        tensors = {name: file.get_tensor(name) for name in names}
        return tensors, json.loads((file.metadata() or {}).get(METADATA, "{}"))
