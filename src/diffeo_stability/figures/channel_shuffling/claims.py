from ..claim_measures import Measured, MissingError, Tables, largest, mean_over_seeds, measures, rows_where, smallest


def _surviving(tables: Tables) -> list[Measured]:
    table = rows_where(tables["channel_shuffling_summary"], "shuffled nets", batch_norm=["re-estimated", "none"])
    last = table[table.operation_index == table.groupby(["net", "seed"]).operation_index.transform("max")]
    shares = mean_over_seeds(last, "share", ["net"], signed=True)
    if not shares:
        raise MissingError("the run has no gain to share")
    return shares


@measures("11a")
def largest_share(tables: Tables) -> Measured:
    """Largest share of the gain that survives."""
    return largest(_surviving(tables))


@measures("11b")
def smallest_share(tables: Tables) -> Measured:
    """Smallest share of the gain that survives."""
    return smallest(_surviving(tables))
