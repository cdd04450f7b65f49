"""Commands of the project: ``diffeo-stability measure``, ``provenance``, ``claims``, ``adopt``, ``tidy`` and ``profile``.

``python -m diffeo_stability measure`` and so on are the same. The first one needs the library alone, the others the pipeline.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .command.measure import add_measure
from .core.errors import INTERRUPTED, InputError, lacks_memory, one_line, printable, printable_lines
from .data.files import as_input_error


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status: 0; 1 for an error, or where files do not match their records; 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="diffeo-stability", description="How stable networks are to smooth deformations of images."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add_measure(commands)
    _add_pipeline_commands(commands)
    chosen = parser.parse_args(arguments)
    try:
        with _logged():
            status = chosen.run(chosen)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except InputError as error:
        return _fail(str(error))
    except SystemExit as leaving:
        said = printable(f"sys.exit({leaving.code!r})")
        return _fail(f"code that this runs, of a network say, ends the process ({said}): leave that out")
    except (MemoryError, RuntimeError, OSError, ImportError) as error:
        why = _want_of_memory(error)
        if why is not None:
            return _fail(f"there is not enough memory ({why}): free some, or raise the limit (ulimit -v)")
        told = as_input_error(error, "what is printed") if isinstance(error, OSError) else error
        if not isinstance(told, InputError):
            raise
        return _fail(str(told))


def _say(line: str) -> None:
    if sys.stderr is not None:  # else it would be printed to stdout
        print(line, file=sys.stderr)


def _fail(message: str) -> int:
    """Say what went wrong, an error per line, and return the exit status."""
    for line in message.splitlines():
        _say(f"error: {line}")
    return 1


class _Printable(logging.Formatter):
    """Messages as they are, but for what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


@contextmanager
def _logged() -> Iterator[None]:
    """Let what the package logs, such as how weights were unwrapped, stand on stderr."""
    if sys.stderr is None:
        yield
        return
    package, handler = logging.getLogger(__package__), logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable())
    before = package.level
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(before)


def _want_of_memory(error: BaseException | None) -> str | None:
    """Return which error says that there is not enough memory, of an error and those that it came from; nothing if none does.

    Packages wrap the errors of libraries that they build on.
    """
    if error is None:
        return None
    said = (one_line(error) or type(error).__name__) if lacks_memory(error) else None
    return _want_of_memory(error.__cause__ or error.__context__) or said


def _add_pipeline_commands(commands: argparse._SubParsersAction) -> None:
    provenance = commands.add_parser(
        "provenance", help="what a figure, table or checkpoint was made from, down to the data"
    )
    provenance.add_argument("file", help="a PDF, PNG, table or checkpoint; run this in the project's folder")
    claims = commands.add_parser("claims", help="the claims of a run with their verdicts, aligned")
    claims.add_argument("file", metavar="table", help="results/<run>/tables/claims.csv")
    adopt = commands.add_parser("adopt", help="check a run that was copied without its times, and set them right")
    adopt.add_argument("file", metavar="config", nargs="+", help="config/<run>.yaml, and files that change it")
    tidy = commands.add_parser(
        "tidy", help="remove the figures and tables of a run that its configuration no longer has"
    )
    tidy.add_argument("file", metavar="config", nargs="+", help="config/<run>.yaml, and files that change it")
    profile = commands.add_parser("profile", help="where the minutes of a run went: what its jobs took, by rule")
    profile.add_argument("file", metavar="config", nargs="+", help="config/<run>.yaml, and files that change it")
    for parser in (provenance, claims, adopt, tidy, profile):
        parser.set_defaults(run=_run_pipeline_command)


def _run_pipeline_command(chosen: argparse.Namespace) -> int:
    try:
        from .pipeline import commands
    except ModuleNotFoundError as error:
        if error.name.startswith(__package__):
            raise
        raise InputError(
            f"{chosen.command} needs {error.name}, which comes with the pipeline: in the project's folder, "
            "pip install -e '.[workflow]'"
        ) from None
    return commands.COMMANDS[chosen.command](chosen.file)


def run() -> None:
    """Run the command that the shell was given, and end the process with its exit status."""
    if hasattr(signal, "SIGPIPE"):
        # Who reads the output may stop early, as head does
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # what a terminal has no letters for
    status = main()
    _let_go_of_stdout()
    sys.exit(status)


def _let_go_of_stdout() -> None:
    """Drop what could not be printed, of which Python would say at its end that it cannot be printed."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    run()
