from ..claim_measures import Measured, Tables, mean_over_seeds, measures, quotient, rows_where, smallest


@measures("12")
def read_out_over_whole(tables: Tables) -> Measured:
    """Smallest R with the read-out alone trained over that of the whole net trained."""
    table = rows_where(tables["hidden_layer_pooling"], "trained nets of one hidden layer", state="trained")
    parts = (
        mean_over_seeds(rows_where(table, f"nets trained: {part}", trained_part=part), "R", ["net", "width"])
        for part in ("read_out", "all")
    )
    return smallest(quotient(read_out, whole) for read_out, whole in zip(*parts, strict=True))
