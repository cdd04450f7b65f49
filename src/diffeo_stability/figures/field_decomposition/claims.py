from ..claim_measures import Measured, Tables, measures, rows_where


@measures("13")
def measured_over_formula(tables: Tables) -> list[Measured]:
    """Size of every part over its closed form."""
    table = tables["field_decomposition"]
    local = rows_where(table[table.norm_formula.notna()], "patches of one pixel", patch_size=1)
    columns = local[["norm_measured", "norm_low", "norm_high"]].div(local.norm_formula, axis=0)
    return [Measured(*row) for row in columns.itertuples(index=False, name=None)]
