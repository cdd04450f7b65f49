from ..claim_measures import Measured, Tables, mean_over_seeds, measures, rows_where, smallest


@measures("15")
def beyond_the_null(tables: Tables) -> Measured:
    """Correlation of coupling with similarity up to a rotation, less the upper end of the null."""
    rotated = ["quarter_turns", "interpolated"]
    table = rows_where(tables["rotation_coupling_summary"], "rotated filters", state="trained", rotations=rotated)
    for name in ("correlation", "correlation_low", "correlation_high"):
        table = table.assign(**{name: table[name] - table.null_high})
    return smallest(mean_over_seeds(table, "correlation", ["net", "rotations"], signed=True))
