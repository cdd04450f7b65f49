"""Commands that look at what runs have made."""

import sys

from ..core.errors import printable_lines
from .adopt import adopt
from .claims import format_claims, read_claims_table
from .config import load_config
from .costs import costs, format_costs
from .leftovers import remove_left_over
from .plan import Plan
from .provenance import as_tree, branches_in, trace


def print_provenance(file: str) -> int:
    """Print what a file was made from, and return the exit status: 1 where files do not match their records."""
    origin = trace(file)
    print(as_tree(origin, branches_in(getattr(sys.stdout, "encoding", None) or "utf-8")))
    if not origin.matches():
        print("Files marked above are not those that this was made from.", file=sys.stderr)
        return 1
    if origin.unchecked:
        print(f"Every other file on disk is the one that this was made from. Not checked is {origin.unchecked}.")
    else:
        print("Every file on disk is the one that this was made from.")
    return 0


def print_claims(table: str) -> int:
    """Print a table of claims, aligned, and such that a terminal obeys nothing in it."""
    print(printable_lines(format_claims(read_claims_table(table))))
    return 0


def adopt_run(config: list[str]) -> int:
    """Check a copied run by its configuration, and set its times right."""
    print(f"{adopt(load_config(*config))} files and folders are as their records say; their times are set right")
    return 0


def tidy_run(config: list[str]) -> int:
    """Remove the figures and tables of a run that its configuration no longer has."""
    removed = remove_left_over(Plan(load_config(*config)))
    print("\n".join(f"{path} is removed" for path in removed) or "there is nothing to remove")
    return 0


def print_costs(config: list[str]) -> int:
    """Print what the jobs of a run took, by rule."""
    print(format_costs(costs(load_config(*config))))
    return 0


COMMANDS = {
    "provenance": print_provenance,
    "claims": print_claims,
    "adopt": adopt_run,
    "tidy": tidy_run,
    "profile": print_costs,
}
