"""What nets learn from a task that asks for pooling: their error, D, G and R over depth, and their filters.

Two active pixels are to be told apart by their distance alone. An image of them has no smooth content that a smooth deformation
could move, so that each active pixel is moved by about a pixel instead, in a random direction, as in the source's code.

Source: arXiv:2210.01506, section 4, figures 8, 9 and 14.
"""

from dataclasses import replace

import torch
from torch import nn

from ...core.by_operation import distances_by_operation
from ...core.estimates import stability_of
from ...core.laplacian import laplacian_components
from ...core.seeds import generator_for
from ...data.datasets import Dataset, split_dataset
from ...data.settings import TwoPoints
from ...data.two_points import draw_images, draw_pairs, move_pairs
from ..filters import check_square_filters, component_rows, square_filters
from ..measuring import (
    describe,
    error_columns,
    evaluated_networks,
    layer_columns,
    operation_columns,
    probe_generator,
    probe_on,
    stability_columns,
)
from ..registry import Given, Measured
from ..settings import Probe


def check_network(network: nn.Module, name: str, _dataset: Dataset) -> None:
    """Raise :class:`InputError` if a network has no filters with Laplacian components."""
    check_square_filters(network, name, "scale_detection")


def with_moved_pairs(dataset: Dataset, task: TwoPoints, seed: int) -> Dataset:
    """Return the data set with every active pixel of its test images moved by about a pixel; its background stays."""
    pairs, _ = draw_pairs(task)["test"]
    moved = move_pairs(pairs, task.size, generator_for("moved pairs", seed))
    return replace(dataset, test_images=draw_images(moved, task, "test"))


def _filter_rows(identity: dict, filters: dict[str, torch.Tensor], initial: dict, probe: Probe) -> list[dict]:
    """Rows of the summary: the Laplacian components of every layer's filters, against those at init."""
    rows = []
    for layer in layer_columns(identity, filters):
        name = layer["layer"]
        components = [laplacian_components(one[name]).mean(1) for one in (filters, initial)]
        generator = generator_for("filters", probe.seed, name)
        size = filters[name].shape[-1]
        rows += [layer | row for row in component_rows(size, *components, probe.resamples, generator)]
    return rows


def measure_scale_detection(given: Given) -> Measured:
    """Measure a training's network at init and trained.

    Returns:
        Rows of the table ``scale_detection``, one per state, reading of batch-norm and operation: D, G and R, of what is moved
        by about a pixel; ``depth``, the operation's place among all, up to 1; and the network's errors. Rows of its summary, one
        per convolution and eigenspace of the graph Laplacian: ``c`` of the trained filters and ``ratio``, over that at init.

    Raises:
        InputError: a checkpoint that cannot be read, an operation whose output is NaN or the same for every image, or a network
            without convolutions.
    """
    probe, task = given.probe, given.two_points
    images = probe_on(given.dataset, probe, given.device)
    moved = probe_on(with_moved_pairs(given.dataset, task, probe.seed), probe, given.device)
    rows, errors, filters = [], {}, {}
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        splits = split_dataset(given.dataset, **evaluated.metadata["split"])
        if evaluated.state not in errors:
            errors[evaluated.state] = error_columns(evaluated, splits)
            filters[evaluated.state] = square_filters(evaluated.network)
        generator = probe_generator(probe)
        distances = distances_by_operation(
            evaluated.network,
            images,
            deformed=moved,
            batch_size=probe.batch_size,
            batch_norm=evaluated.batch_norm,
            generator=generator,
        )
        measured = stability_of(distances, resamples=probe.resamples, generator=generator)
        operations = operation_columns(evaluated.network, measured)
        rows += [
            {
                **evaluated.columns,
                **errors[evaluated.state],
                **operation,
                "depth": operation["operation_index"] / len(operations),
                **stability_columns(result),
            }
            for operation, result in zip(operations, measured.values(), strict=True)
        ]
    check_network(evaluated.network, evaluated.metadata["net"], given.dataset)
    identity = describe(None, evaluated.metadata) | {"train_size": len(splits.train)}
    return Measured(rows, _filter_rows(identity, filters["trained"], filters["init"], probe))
