import pandas as pd

from ..claim_measures import (
    Measured,
    Tables,
    by_net,
    geometric_mean,
    largest,
    mean_over_seeds,
    measure_each,
    measures,
    quotient,
    rows_of_kind,
    rows_where,
    smallest,
)


def _wavenumbers(tables: Tables, kind: str, what: str) -> list[Measured]:
    table = rows_of_kind(tables["activation_spectra_summary"], kind, what)
    convolutions = rows_where(table, f"convolutions of {what}", state="trained", kind=["conv", "locallyconnected2d"])
    return measure_each(_one_or_mean, by_net(convolutions))


def _one_or_mean(rows: pd.DataFrame) -> Measured:
    """Mean over the convolutions of a net; that of a single one has the interval of its own."""
    if rows.operation_index.nunique() == 1:
        return mean_over_seeds(rows, "ratio_to_init", ["net"])[0]
    return geometric_mean(rows.set_index("operation_index").ratio_to_init)


@measures("8b")
def deep_over_simple(tables: Tables) -> Measured:
    """Largest change of deep nets over the smallest one of simple nets."""
    deep = largest(_wavenumbers(tables, "deep", "deep nets"))
    return quotient(deep, smallest(_wavenumbers(tables, "simple", "simple nets")))


@measures("8a")
def largest_change(tables: Tables) -> Measured:
    """Largest change of the mean wavenumber of deep nets."""
    return largest(_wavenumbers(tables, "deep", "deep nets"))
