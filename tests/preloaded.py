"""``python -m snakemake`` in processes that have its libraries already: importing them takes as long as planning a small run.

A server, one per test worker, imports them once and is then copied for every call. Nothing of the project is among them.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path


class Preloaded:
    """Runs ``python -m <module> ...`` again and again, each time in a process of its own.

    Args:
        limit: seconds after which a call is killed.
    """

    def __init__(self, limit: int):
        command = [sys.executable, "-I", __file__, str(limit)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess:
        """Run ``-m <module> ...`` in a folder, and return what it printed."""
        with tempfile.NamedTemporaryFile("r") as printed, tempfile.NamedTemporaryFile("r") as errors:
            call = [list(arguments), str(folder), dict(env), [printed.name, errors.name]]
            self._process.stdin.write(json.dumps(call) + "\n")
            self._process.stdin.flush()
            status = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(arguments, status, printed.read(), errors.read())


def serve(limit: int) -> None:
    """Answer every line of the standard input, a call, with a line: its exit status."""
    import snakemake.cli  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(limit, *json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(limit: int, arguments: list[str], folder: str, env: dict[str, str], files: list[str]) -> None:
    """Be the process that the shell would have started."""
    signal.alarm(limit)
    for number, name in enumerate([os.devnull, *files]):
        opened = os.open(name, os.O_RDWR)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    # As the interpreter sets it up; isolated, as it is here, it leaves these out
    sys.path[:0] = [folder, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    _, module, *rest = arguments
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
