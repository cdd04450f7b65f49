"""Python in processes that have libraries already: importing them takes as long as planning a small run, or most of its jobs.

A server imports them once and is then copied for every call. Nothing of the project is among them, and a copy has the
arguments, folder, environment and open files of the process that it stands for, and ends with it, as does what it has started.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PLANNING = ("jsonschema", "nbformat", "smart_open.http", "snakemake.cli", "yte")
JOBS = (  # scripts, and the kernels of their notebooks; without Triton, which prints what it takes for leaks when a copy ends
    "docutils.core",
    "ipykernel.kernelapp",
    "jupytext",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.pyplot",
    "nbclient",
    "nbconvert",
    "pandas",
    "pydantic.main",
    "rocrate.rocrate",
    "safetensors.torch",
    "scipy.special",
    "snakemake.script",
    "torch.fx.experimental.symbolic_shapes",
)
MODULES = {"planning": PLANNING, "jobs": JOBS}
INTERPRETER = """\
#!{python} -ISE
import sys

sys.path.append({folder!r})
from preloaded import run_as_this_process

sys.exit(run_as_this_process({servers!r}, sys.argv[1:]))
"""


class Preloaded:
    """Runs ``python -m snakemake`` again and again, each time in a process of its own, as its jobs have.

    Args:
        limit: seconds after which a call is killed.

    Attributes:
        interpreter: program that takes the place of ``python`` for as long as this process lives.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        servers = {name: str(_start_server(folder / name, modules)) for name, modules in MODULES.items()}
        self._planning = servers["planning"]
        self.interpreter = folder / "python"
        self.interpreter.write_text(
            INTERPRETER.format(python=sys.executable, folder=str(Path(__file__).parent), servers=servers)
        )
        self.interpreter.chmod(0o700)

    def run(self, arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess:
        """Run ``-m <module> ...`` in a folder, and return what it printed."""
        call = {
            "arguments": list(arguments),
            "folder": str(folder),
            "env": dict(env),
            "limit": self._limit,
            "interpreter": str(self.interpreter),
        }
        with (
            Path(os.devnull).open() as nothing,
            tempfile.TemporaryFile("r+") as printed,
            tempfile.TemporaryFile("r+") as errors,
        ):
            status = run_in_copy(self._planning, call, [file.fileno() for file in (nothing, printed, errors)])
            texts = [file.seek(0) or file.read() for file in (printed, errors)]
        return subprocess.CompletedProcess(arguments, status, *texts)


def _start_server(address: Path, modules: Sequence[str]) -> Path:
    """Start a server that ends with this process, and return where it listens."""
    command = [sys.executable, "-I", __file__, str(address), *modules]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server.stdout.readline()
    return address


def run_in_copy(address: str | Path, call: dict, files: Sequence[int], forwarded: Sequence[signal.Signals] = ()) -> int:
    """Have a server run a call in a copy of itself, with three open files, and return its exit status; negative if killed.

    Args:
        forwarded: signals to this process that the copy, and what it has started, get in its place.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address))
        socket.send_fds(connection, [b"call"], files)
        connection.sendall(json.dumps(call).encode() + b"\n")
        for number in forwarded:
            signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
        status = int(connection.makefile().readline() or -signal.SIGKILL)
        for number in forwarded:
            signal.signal(number, signal.SIG_DFL)
        return status


def serve(address: str, *modules: str) -> None:
    """Import modules, then answer every connection in a copy of this process, until the standard input ends."""
    for name in modules:
        __import__(name)
    gc.freeze()  # copies do not look for garbage among what they share, and so share it for longer
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for copies
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("listening", flush=True)
        while select.select([sys.stdin, listening], [], [])[0] == [listening]:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(connection)
            connection.close()


def _answer(connection: socket.socket) -> None:
    """Run what is asked for in a child, which is killed where the one who asked ends before it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(connection, len(b"call"), 3)
    told = connection.makefile("rb")
    call = json.loads(told.readline())
    child = os.fork()
    if child == 0:
        told.close()
        connection.close()
        os.setpgid(0, 0)
        _become(files, **call)
    with suppress(PermissionError, ProcessLookupError):  # here, too: who does it first is not known
        os.setpgid(child, child)

    def end_with_the_caller() -> None:
        with suppress(ProcessLookupError):
            while number := told.read(1):
                os.killpg(child, number[0])
            os.killpg(child, signal.SIGKILL)

    threading.Thread(target=end_with_the_caller, daemon=True).start()
    _, status = os.waitpid(child, 0)
    with suppress(BrokenPipeError):
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(
    files: Sequence[int],
    arguments: list[str],
    folder: str,
    env: dict[str, str],
    interpreter: str,
    limit: int = 0,
) -> None:
    """Be the process that the shell would have started.

    Args:
        interpreter: by which it starts processes of Python.
        limit: seconds after which it is killed, if it is not 0.
    """
    signal.alarm(limit)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.executable = interpreter
    # What the interpreter would have set up; isolated, as it is here, it leaves these out
    given = list(filter(None, env.get("PYTHONPATH", "").split(os.pathsep)))
    if arguments[0] == "-m":
        sys.path[:0] = [folder, *given]
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[:0] = [str(Path(arguments[0]).parent), *given]
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
    sys.exit()


def run_as_this_process(servers: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Have a server run a script or ``-m <module>`` in place of this process; return its exit status, or be killed as it is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until it can be passed on
    address = servers["planning" if arguments[:2] == ["-m", "snakemake"] else "jobs"]
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    call = {
        "arguments": list(arguments),
        "folder": str(Path.cwd()),
        "env": dict(os.environ),
        "interpreter": sys.argv[0],
    }
    status = run_in_copy(address, call, [0, 1, 2], forwarded=[signal.SIGINT, signal.SIGTERM])
    if status < 0:
        os.kill(os.getpid(), -status)
    return status


def _end_with_the_parent() -> None:
    """End this process when the one that started it ends, as kernels do: the copy, which would look, has another parent."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    serve(*sys.argv[1:])
