"""Commands of the project: ``python -m diffeo_stability provenance FILE``, ``claims TABLE`` and ``adopt CONFIG``."""

import argparse
import signal
import sys

from .core.errors import InputError
from .pipeline.adopt import adopt
from .pipeline.claims import COLUMNS, format_claims
from .pipeline.config import load_config
from .pipeline.provenance import as_tree, trace
from .pipeline.tables import read_table


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status: 0; 1 for an error, or where files do not match their records."""
    parser = argparse.ArgumentParser(prog="python -m diffeo_stability", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    provenance = commands.add_parser(
        "provenance", help="what a figure, table or checkpoint was made from, down to the data"
    )
    provenance.add_argument("file", help="a PDF, PNG, table or checkpoint; run this in the project's folder")
    claims = commands.add_parser("claims", help="the claims of a run with their verdicts, aligned")
    claims.add_argument("table", help="results/<run>/tables/claims.csv")
    adopting = commands.add_parser("adopt", help="check a run that was copied without its times, and set them right")
    adopting.add_argument("config", help="config/<run>.yaml")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "claims":
            print(format_claims(read_table(chosen.table, COLUMNS)))
            return 0
        if chosen.command == "adopt":
            print(
                f"{adopt(load_config(chosen.config))} files and folders are as their records say; their times are set right"
            )
            return 0
        origin = trace(chosen.file)
        print(as_tree(origin))
        if not origin.matches():
            print("Files marked above are not those that this was made from.", file=sys.stderr)
            return 1
        print("Every file on disk is the one that this was made from.")
        return 0
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        # Who reads the output may stop early, as head does
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
