import pandas as pd

from ..claim_measures import (
    FEWEST,
    Found,
    Measured,
    MissingError,
    Tables,
    geometric_mean,
    measures,
    over_depth,
    rows_where,
    seed_by_seed,
)
from ..left_out import noted_without


def trained(tables: Tables) -> pd.DataFrame:
    return rows_where(tables["stability_by_depth"], "trained nets", state="trained", variant="whole")


def _averaged_over_whole(tables: Tables) -> pd.DataFrame:
    """Rows of the convolutions of trained nets, with the ``ratio`` of D of their maps' mean over channels to that of the maps."""
    which = ["net", "seed", "operation_index"]
    rows = rows_where(tables["stability_by_depth"], "averaged maps", variant="averaged", kind="conv")
    both = rows.merge(trained(tables)[[*which, "D"]], on=which, suffixes=("", "_whole"))
    ratios = both.assign(ratio=both.D / both.D_whole)
    if ratios.empty:
        raise MissingError("the run has no maps averaged over channels")
    return ratios


def averaged_over_whole(tables: Tables, fewest: int = FEWEST) -> dict[str, Measured]:
    """D of the convolutions' maps averaged over channels, over that of the maps: by net, mean of so many convolutions."""
    return seed_by_seed(_averaged_over_whole(tables), lambda of_seed: geometric_mean(of_seed.ratio, fewest))


@measures("17c")
def pooling_over_channels(tables: Tables) -> Found:
    nets = _averaged_over_whole(tables).net
    return noted_without(averaged_over_whole(tables), nets, "they have fewer than three convolutions")


@measures("17a")
def deformation_stability_falls(tables: Tables) -> dict[str, Measured]:
    return over_depth(trained(tables), "D")


@measures("17b")
def noise_stability_rises(tables: Tables) -> dict[str, Measured]:
    return over_depth(trained(tables), "G")
