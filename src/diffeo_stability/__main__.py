"""Commands of the project: ``diffeo-stability measure``, ``provenance``, ``claims``, ``adopt``, ``tidy`` and ``profile``.

``python -m diffeo_stability measure`` and so on are the same. The first one needs the library alone, the others the pipeline.
"""

import argparse
import signal
import sys

from .command.measure import add_measure
from .core.errors import InputError, lacks_memory, one_line


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status: 0; 1 for an error, or where files do not match their records."""
    parser = argparse.ArgumentParser(
        prog="diffeo-stability", description="How stable networks are to smooth deformations of images."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add_measure(commands)
    _add_pipeline_commands(commands)
    chosen = parser.parse_args(arguments)
    try:
        return chosen.run(chosen)
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError, OSError, ImportError) as error:
        if not lacks_memory(error):
            raise
        print(f"error: there is not enough memory ({one_line(error) or 'MemoryError'}): free some", file=sys.stderr)
        return 1


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
            "pip install '.[workflow]'"
        ) from None
    return commands.COMMANDS[chosen.command](chosen.file)


def run() -> None:
    """Run the command that the shell was given, and end the process with its exit status."""
    if hasattr(signal, "SIGPIPE"):
        # Who reads the output may stop early, as head does
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())


if __name__ == "__main__":
    run()
