import numpy as np
import pandas as pd

from ..claim_measures import MissingError, Tables, gains_by_layer, mean_gains, values_of
from ..words import averaged_over, count_of, each, factor, network, verbatim
from .claims import after_training


def describe_laplacian_spectra(tables: Tables) -> str:
    """By how much the constant component gains over the roughest one, in which layers, and where most."""
    final = after_training(tables)
    try:
        means = mean_gains(final, fewest=2)
    except MissingError:  # nets of one convolution have no mean of layers
        means = {}
    drawn_anew = " (drawn anew where weights were brought along)" if final.imported.any() else ""
    gains = {net: _gains(rows) for net, rows in final.groupby("net", sort=False)}
    sentences = [
        f"From init{drawn_anew} to the end of training the constant component gains over the roughest one by a factor of "
        f"{each(values_of(means), factor)}, mean of layers."
        if means
        else "",
        _layers(
            gains, "It gains" if means else f"From init{drawn_anew} the constant component gains over the roughest one"
        ),
        averaged_over(final.seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


def _gains(rows: pd.DataFrame) -> pd.Series:
    """Gain in every layer, geometric mean over seeds, by the layer's name."""
    by_layer = np.exp(np.log(gains_by_layer(rows)).groupby("layer_index").mean())
    names = rows.drop_duplicates("layer_index").set_index("layer_index").layer
    return by_layer.rename(names)


def _layers(gains: dict[str, pd.Series], gain: str) -> str:
    """In how many convolutions it does, and the largest factor."""
    together = [value for of_net in gains.values() for value in of_net]
    net = max(gains, key=lambda name: gains[name].max())
    rising = count_of(sum(value > 1 for value in together), len(together), "convolutions")
    layer, most = gains[net].idxmax(), gains[net].max()
    return f"{gain} in {rising}; the largest factor is {factor(most)}, in {verbatim(layer)} of {network(net)}."
