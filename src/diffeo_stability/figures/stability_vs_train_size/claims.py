from ..claim_measures import Measured, Tables, by_network, interval_in_row, measures, rows_where


@measures("3e")
def fall_with_train_size(tables: Tables) -> dict[str, Measured]:
    """Slope of log R against log P of every trained net."""
    rows = rows_where(tables["stability_vs_train_size_summary"], "R at two numbers of images", quantity="R")
    return by_network(rows, lambda of_net: interval_in_row(of_net.iloc[0], "b"))
