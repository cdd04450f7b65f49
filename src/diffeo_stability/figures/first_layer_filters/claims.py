import numpy as np

from ...core.seeds import derive_seed
from ..claim_measures import Measured, Tables, measures, rows_where

RESAMPLES = 10_000


def _gabor(tables: Tables, null: str) -> Measured:
    table = tables["first_layer_filters"]
    table = table[table.train_size == table.train_size.max()]
    trained, other = (
        rows_where(table, f"filters: {state}", state=state).gabor_r2.to_numpy() for state in ("trained", null)
    )
    generator = np.random.default_rng(derive_seed("filters", null))
    samples = [
        values[generator.integers(len(values), size=(RESAMPLES, len(values)))].mean(1) for values in (trained, other)
    ]
    low, high = np.quantile(samples[0] - samples[1], (0.025, 0.975))
    return Measured(float(trained.mean() - other.mean()), float(low), float(high))


@measures("9a")
def better_than_untrained(tables: Tables) -> Measured:
    """By how much Gabor functions fit trained filters better than untrained ones."""
    return _gabor(tables, "init")


@measures("9b")
def better_than_mixtures(tables: Tables) -> Measured:
    """By how much they fit trained filters better than their random mixtures."""
    return _gabor(tables, "mixture")
