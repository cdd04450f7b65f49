import pandas as pd

from ..claim_measures import (
    Measured,
    Tables,
    change_over_depth,
    geometric_mean,
    measure_each,
    measures,
    rows_where,
    smallest,
)


def _neurons(tables: Tables) -> list[pd.DataFrame]:
    """Trained, over all patches: one table per net and transformation."""
    table = rows_where(tables["neuron_stability_summary"], "neurons trained", state="trained", patch_choice="random")
    table = table.dropna(subset=["ratio_to_translation"])
    return [rows for _, rows in table.groupby(["net", "transformation"], sort=False)]


@measures("14b")
def gap_with_depth(tables: Tables) -> Measured:
    """By what factor the ratio to translations grows over depth, where that is smallest."""
    return smallest(
        measure_each(
            lambda rows: change_over_depth(rows.set_index("layer_index").ratio_to_translation), _neurons(tables)
        )
    )


@measures("14a")
def smallest_ratio_to_translation(tables: Tables) -> Measured:
    """Smallest mean over layers of alpha of another transformation over that of translations."""

    def ratio(rows: pd.DataFrame) -> Measured:
        return geometric_mean(rows.set_index("layer_index").ratio_to_translation)

    return smallest(measure_each(ratio, _neurons(tables)))
