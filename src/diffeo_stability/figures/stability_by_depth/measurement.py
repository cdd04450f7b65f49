"""D, G and R of every layer: at init, trained, with shuffled channels, and of maps averaged over channels.

A shuffle of the input channels of every convolution leaves what filters do over space and breaks what they do over channels. The
mean of a layer's maps over its channels is the plainest pooling over channels: how much more stable it is than the layer
itself says what a layer after it can gain by combining channels.

Source: arXiv:2210.01506, section 2 and figure 3.
"""

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

from ...core.by_operation import distances_by_operation
from ...core.deformation import check_temperature_range
from ...core.estimates import stability_of
from ...core.seeds import generator_for
from ...core.set_statistics import BatchNorm
from ...data.datasets import Dataset, split_dataset
from ..measuring import (
    check_operations,
    describe,
    evaluated_networks,
    operation_columns,
    probe_generator,
    probe_on,
    stability_columns,
)
from ..registry import Given, Measured
from ..shuffling import batch_norm_choices, permute_input_channels, random_permutations, with_statistics


class Variant(NamedTuple):
    """A network as one of the figure's curves shows it.

    Attributes:
        state: ``init`` or ``trained``.
        variant: ``whole``, ``shuffled`` (input channels of every convolution), or ``averaged`` (maps over channels).
        statistics: of its batch-norm; see :class:`~diffeo_stability.figures.measuring.Evaluated`, and ``kept`` or
            ``re-estimated`` where channels are shuffled.
    """

    state: str
    variant: str
    statistics: str
    network: nn.Module
    batch_norm: BatchNorm
    metadata: dict

    @property
    def columns(self) -> dict:
        identity = describe(self.state, self.metadata)
        return identity | {"variant": self.variant, "batch_norm": self.statistics}


def channel_mean(output: Tensor) -> Tensor | None:
    """Return the mean over channels of maps ``(B, C, h, w)``, ``(B, h, w)``; nothing of what are no maps, or a single one."""
    return output.mean(1) if output.ndim == 4 and output.shape[1] > 1 else None


def _variants(given: Given) -> Iterator[Variant]:
    """All curves of a training's network, one network at a time."""
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        state, statistics, network, metadata = evaluated
        yield Variant(state, "whole", statistics, network, evaluated.batch_norm, metadata)
        if state == "init":
            continue
        yield Variant(state, "averaged", statistics, network, evaluated.batch_norm, metadata)
        splits = split_dataset(given.dataset, **metadata["split"])
        orders = random_permutations(network, generator_for("channel permutation", given.probe.seed, 0))
        shuffled = permute_input_channels(network, orders)
        for choice in batch_norm_choices(shuffled):
            yield Variant(state, "shuffled", choice, with_statistics(shuffled, choice, splits), "running", metadata)


def check_network(network: nn.Module, name: str, dataset: Dataset) -> None:
    """Raise :class:`InputError` if an untrained network has operations that tell no images apart."""
    remedy = "take it out of stability_by_depth.networks, or give it 'init: none' if it has weights"
    check_operations(network, name, dataset, remedy)


def measure_stability_by_depth(given: Given) -> Measured:
    """Measure D, G and R after every operation of a training's network, at init, trained, shuffled and averaged.

    Returns:
        Rows of the table ``stability_by_depth``: by ``state``, ``variant`` (see :class:`Variant`) and ``batch_norm``; ``depth``
        is the place of the operation among all, from 0 (exclusive) to 1, the output.

    Raises:
        InputError: a checkpoint that cannot be read, a cutoff without a temperature range for these images, or an operation
            whose output is NaN or the same for every image.
    """
    check_temperature_range(given.dataset.image_size, given.stability.cutoff)
    images, probe = probe_on(given.dataset, given.probe, given.device), given.probe
    rows, operations = [], {}
    for variant in _variants(given):
        generator = probe_generator(probe)
        distances = distances_by_operation(
            variant.network,
            images,
            **given.stability.measured_with(),
            batch_size=probe.batch_size,
            batch_norm=variant.batch_norm,
            generator=generator,
            view=channel_mean if variant.variant == "averaged" else None,
        )
        measured = stability_of(distances, resamples=probe.resamples, generator=generator)
        operations = operations or dict(zip(measured, operation_columns(variant.network, measured), strict=True))
        rows += [
            {
                **variant.columns,
                **operations[name],
                "depth": operations[name]["operation_index"] / len(operations),
                **stability_columns(result),
            }
            for name, result in measured.items()
        ]
    return Measured(rows)
