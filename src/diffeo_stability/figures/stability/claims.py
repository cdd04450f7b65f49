from ..claim_measures import (
    Measured,
    Tables,
    largest,
    mean_over_seeds,
    measures,
    quotient,
    rows_of_kind,
    rows_where,
    smallest,
)


def _init(tables: Tables) -> list[Measured]:
    return mean_over_seeds(rows_where(tables["stability"], "nets at init", state="init"), "R", ["net"])


def _trained(tables: Tables, kind: str, what: str) -> list[Measured]:
    return mean_over_seeds(
        rows_of_kind(rows_where(tables["stability"], what, state="trained"), kind, what), "R", ["net"]
    )


@measures("2a")
def largest_ratio_to_init(tables: Tables) -> Measured:
    table = rows_of_kind(tables["stability"], "convolutional", "convolutional nets")
    states = (
        mean_over_seeds(rows_where(table, f"nets {state}", state=state), "R", ["net"]) for state in ("trained", "init")
    )
    return largest(quotient(trained, init) for trained, init in zip(*states, strict=True))


@measures("1a")
def smallest_at_init(tables: Tables) -> Measured:
    """Smallest R at init."""
    return smallest(_init(tables))


@measures("1b")
def largest_at_init(tables: Tables) -> Measured:
    """Largest R at init."""
    return largest(_init(tables))


@measures("2b")
def largest_convolutional(tables: Tables) -> Measured:
    """Largest R of trained convolutional nets."""
    return largest(_trained(tables, "convolutional", "convolutional nets"))


@measures("2c")
def smallest_fully_connected(tables: Tables) -> Measured:
    """Smallest R of trained fully connected nets."""
    return smallest(_trained(tables, "fully_connected", "fully connected nets"))
