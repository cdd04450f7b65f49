import pandas as pd

from ..claim_measures import Measured, Tables, by_net, geometric_mean, measure_each, measures, smallest


@measures("7")
def smooth_over_rough(tables: Tables) -> Measured:
    """Gain of the constant over that of the roughest component, mean of layers, in the net where it is smallest."""
    table = tables["laplacian_spectra"]
    final = table[table.epoch == table.groupby(["net", "seed"]).epoch.transform("max")]

    def gain(rows: pd.DataFrame) -> Measured:
        layers = rows.sort_values("eigenvalue").groupby(["layer_index", "seed"]).ratio
        return geometric_mean((layers.first() / layers.last()).droplevel("seed"))

    return smallest(measure_each(gain, by_net(final)))
