"""Figure ``operation_stability``: D, G and R after every operation inside a network.

Source: the October 2021 deck, "Relative stability after each operation (conv. batch-norm, ReLU, max-pool) inside VGGs".
"""

from pathlib import Path

import torch

from . import config
from .architectures.naming import kind_of
from .datasets import Dataset
from .deformation import temperature_range
from .operations import named_operations, registered_name
from .probing import describe, networks_by_state, probe_on
from .stability import settings_of, stability_by_operation, stability_columns


def measure_operation_stability(
    folder: str | Path, dataset: Dataset, settings: config.Stability, probe: config.Probe, device: torch.device | str
) -> list[dict]:
    """Measure a training's network at init and trained: rows of the table ``operation_stability``, one an operation.

    Args:
        folder: the training's checkpoints.

    Raises:
        InputError: a checkpoint that cannot be read, a cutoff without a temperature range for these images, or an operation
            whose output is NaN or the same for every image.
    """
    temperature_range(dataset.image_size, settings.cutoff)
    images = probe_on(dataset, probe, device)
    rows = []
    for state, network, metadata in networks_by_state(folder, device):
        operations = named_operations(network)
        measured = stability_by_operation(network, images, **settings_of(settings, probe))
        rows += [
            {
                **describe(state, metadata),
                "operation": name,
                "operation_index": index,
                "kind": kind_of(operations[registered_name(name)]),
                **stability_columns(stability),
            }
            for index, (name, stability) in enumerate(measured.items(), start=1)
        ]
    return rows
