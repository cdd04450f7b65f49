"""D, G and R after every operation inside a network.

Source: the October 2021 deck, "Relative stability after each operation (conv. batch-norm, ReLU, max-pool) inside VGGs".
"""

from torch import nn

from ...core.by_operation import distances_by_operation
from ...core.deformation import check_temperature_range
from ...core.estimates import stability_of
from ...data.datasets import Dataset
from ..measuring import (
    check_operations,
    evaluated_networks,
    operation_columns,
    probe_generator,
    probe_on,
    stability_columns,
)
from ..registry import Given, Measured


def check_network(network: nn.Module, name: str, dataset: Dataset) -> None:
    """Raise :class:`InputError` if an untrained network has operations that tell no images apart."""
    remedy = "take it out of operation_stability.networks, or give it 'init: none' if it has weights"
    check_operations(network, name, dataset, remedy)


def measure_operation_stability(given: Given) -> Measured:
    """Measure a training's network at init and trained: rows of the table ``operation_stability``, one per operation.

    Raises:
        InputError: a checkpoint that cannot be read, a cutoff without a temperature range for these images, or an operation
            whose output is NaN or the same for every image.
    """
    check_temperature_range(given.dataset.image_size, given.stability.cutoff)
    images, probe = probe_on(given.dataset, given.probe, given.device), given.probe
    rows = []
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        generator = probe_generator(probe)
        distances = distances_by_operation(
            evaluated.network,
            images,
            **given.stability.measured_with(),
            batch_size=probe.batch_size,
            batch_norm=evaluated.batch_norm,
            generator=generator,
        )
        measured = stability_of(distances, resamples=probe.resamples, generator=generator)
        columns = operation_columns(evaluated.network, measured)
        rows += [
            {**evaluated.columns, **operation, **stability_columns(stability)}
            for operation, stability in zip(columns, measured.values(), strict=True)
        ]
    return Measured(rows)
