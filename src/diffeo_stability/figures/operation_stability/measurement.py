"""D, G and R after every operation inside a network.

Source: the October 2021 deck, "Relative stability after each operation (conv. batch-norm, ReLU, max-pool) inside VGGs".
"""

from ...core.by_operation import stability_by_operation
from ...core.deformation import check_temperature_range
from ..measuring import evaluated_networks, operation_columns, probe_on, settings_of, stability_columns
from ..registry import Given, Measured


def measure_operation_stability(given: Given) -> Measured:
    """Measure a training's network at init and trained: rows of the table ``operation_stability``, one per operation.

    Raises:
        InputError: a checkpoint that cannot be read, a cutoff without a temperature range for these images, or an operation
            whose output is NaN or the same for every image.
    """
    check_temperature_range(given.dataset.image_size, given.stability.cutoff)
    images = probe_on(given.dataset, given.probe, given.device)
    rows = []
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        settings = settings_of(given.stability, given.probe)
        measured = stability_by_operation(evaluated.network, images, batch_norm=evaluated.batch_norm, **settings)
        columns = operation_columns(evaluated.network, measured)
        rows += [
            {**evaluated.columns, **operation, **stability_columns(stability)}
            for operation, stability in zip(columns, measured.values(), strict=True)
        ]
    return Measured(rows)
