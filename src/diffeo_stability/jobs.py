"""What every job of the pipeline does around its one library call: logging, one-line errors, records, threads, device."""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import InputError
from .files import named, remove_leftovers
from .gpus import take_gpu
from .records import checked_hashes_of, write_records

NOT_RECORDED = ("source",)  # folders of the user's own images: the data set's hash covers what was taken from them


class _Tee:
    """Writes to the log and to the stream that was there before."""

    def __init__(self, log, stream):
        self._log, self._stream = log, stream

    def write(self, text: str) -> int:
        self._log.write(text)
        self._log.flush()
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


@contextlib.contextmanager
def running(job: Any) -> Iterator[None]:
    """Run a job that is recorded and ends in one line if it fails; what it prints also goes to its log.

    Any error but one of the user's is a bug: its traceback goes to the log and to the terminal.

    Args:
        job: Snakemake's own object.
    """
    with in_one_line():
        log = Path(job.log[0])
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as file:
            streams = (
                contextlib.redirect_stdout(_Tee(file, sys.stdout)),
                contextlib.redirect_stderr(_Tee(file, sys.stderr)),
            )
            with streams[0], streams[1], in_one_line(), recorded(job):
                yield


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """End the process with status 1, and with one line if the block fails for a reason that the user can mend."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError):
            error = named(error, "a file")
        if isinstance(error, InputError):
            print(f"error: {error}", file=sys.stderr)
        else:
            traceback.print_exception(error)
        sys.exit(1)


@contextlib.contextmanager
def recorded(job: Any) -> Iterator[None]:
    """Check what a job reads against its records before it runs, and write beside all that it has made from what it was made.

    Args:
        job: Snakemake's own object.

    Raises:
        InputError: a file that it reads is not what its job wrote.
    """
    files = {
        name: [value] if isinstance(value, str) else list(value)
        for name, value in job.input.items()
        if name not in NOT_RECORDED
    }
    code = [*files.pop("code"), *files.pop("notebook", []), *files.pop("network", [])]
    inputs = checked_hashes_of(path for paths in files.values() for path in paths)
    for path in job.output:
        remove_leftovers(path)
    yield
    write_records(
        job.output, rule=job.rule, inputs=inputs, code=code, params=dict(job.params.items()), config=job.config
    )


def set_up_torch(device: str, threads: int):
    """Give torch as many threads as the job has, have it compute exactly and reproducibly, and return the device to use.

    Args:
        device: see :func:`device_for`.

    Raises:
        InputError: the device is not there.
    """
    import torch

    torch.set_num_threads(threads)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    # The same GPU has another index in a process that sees fewer of them, but never another identifier
    chosen = torch.device(device_for(device, [str(torch.cuda.get_device_properties(k).uuid) for k in range(count)]))
    if chosen.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # ten bits of mantissa would blur small differences of outputs
        torch.backends.cudnn.deterministic = True
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    return chosen


def device_for(device: str, gpus: Sequence[str], locks: Path | None = None) -> str:
    """Return the device that a job uses.

    Args:
        device: ``auto`` for a GPU where there is one; ``cpu``; ``cuda``; or ``cuda:<index>``.
        gpus: identifiers of the GPUs that torch finds. Of several, ``auto`` and ``cuda`` take one that no other job holds.
        locks: folder of the locks by which jobs hold GPUs; one of the user's own if not given.

    Raises:
        InputError: the device is not there.
    """
    if device == "cpu" or (device == "auto" and not gpus):
        return "cpu"
    index = int(device.partition(":")[2] or 0)
    if index >= len(gpus):
        raise InputError(f"device is {device}, but torch finds {len(gpus)} GPUs here: set device to cpu or auto")
    return f"cuda:{take_gpu(gpus, locks) if ':' not in device and len(gpus) > 1 else index}"
