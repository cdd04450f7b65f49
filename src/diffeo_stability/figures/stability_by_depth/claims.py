import pandas as pd

from ..claim_measures import (
    Measured,
    MissingError,
    Tables,
    geometric_mean,
    measures,
    over_depth,
    rows_where,
    seed_by_seed,
)


def trained(tables: Tables) -> pd.DataFrame:
    return rows_where(tables["stability_by_depth"], "trained nets", state="trained", variant="whole")


@measures("17c")
def averaged_over_whole(tables: Tables) -> dict[str, Measured]:
    """D of the convolutions' maps averaged over channels, over that of the maps: by net, mean of convolutions."""
    which = ["net", "seed", "operation_index"]
    rows = rows_where(tables["stability_by_depth"], "averaged maps", variant="averaged", kind="conv")
    both = rows.merge(trained(tables)[[*which, "D"]], on=which, suffixes=("", "_whole"))
    ratios = both.assign(ratio=both.D / both.D_whole)
    if ratios.empty:
        raise MissingError("the run has no maps averaged over channels")
    return seed_by_seed(ratios, lambda of_seed: geometric_mean(of_seed.ratio))


@measures("17a")
def deformation_stability_falls(tables: Tables) -> dict[str, Measured]:
    return over_depth(trained(tables), "D")


@measures("17b")
def noise_stability_rises(tables: Tables) -> dict[str, Measured]:
    return over_depth(trained(tables), "G")
