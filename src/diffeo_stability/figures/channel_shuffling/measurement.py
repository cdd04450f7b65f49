r"""What of the stability that a network learns survives a shuffle of its channels.

A filter can pool over space, by being smooth, and over channels, by combining those that the layers before it made for it.
A random permutation of the input channels of every convolution leaves each filter over space as it is, and breaks what
channels have to do with each other: what is left is what spatial pooling alone does.

The gain is the logarithm of the factor by which training lowers D up to an operation, and logarithms split it in two:

.. math::

    \log \frac{D_{init}}{D_{trained}} = \log \frac{D_{init}}{D_{shuffled}} + \log \frac{D_{shuffled}}{D_{trained}}.

The first part survives the shuffle, and its share of the gain is reported: 1 if the stability is all spatial pooling, 0 if it
is all in how channels are combined. Below 0, shuffled filters are less stable than those at init; above 1, more stable than
trained ones. (Shares of the difference of D itself would depend on which of the two kinds of pooling is counted first.) All
convolutions up to the operation are shuffled, so that a share is not that of one layer. Beside it stands the same for R, in
which what a shuffle does to the stability to noise has its part.

Source: the November 2021 deck, "What if we take a trained net and randomly permute the channels? If it was all about (1)
[spatial pooling by each filter], nothing should change. Can we decouple the contribution of the two?"
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...core import quantiles
from ...core.bootstrap import bootstrap_means, percentile_interval, resample_counts
from ...core.by_operation import distances_by_operation
from ...core.deformation import check_temperature_range
from ...core.distances import Distances
from ...core.errors import InputError
from ...core.estimates import stability_of
from ...core.images import Images
from ...core.seeds import generator_for
from ...core.set_statistics import BatchNorm
from ...data.datasets import Dataset, split_dataset
from ...networks.checkpoints import list_checkpoints, read_metadata
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
from ..settings import Probe
from ..shuffling import (
    batch_norm_choices,
    convolutions_of,
    permute_input_channels,
    random_permutations,
    with_statistics,
)


def log_stabilities(
    distances: Mapping[str, Distances], resamples: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return log D and log R of M outputs, ``(M, 1 + resamples)`` each: of the images, then of bootstrap samples of them.

    Generators of one seed draw the same images for every network, so that an interval of how networks compare can be taken
    over the last axis.

    Args:
        distances: of each output, under deformation, then noise.
    """
    outputs = list(distances.values())
    values = torch.stack([torch.cat((output.moved, output.spread[None])) for output in outputs])
    resampled = bootstrap_means(values.flatten(0, 1), resamples, generator).view(len(outputs), 3, resamples)
    deformation, noise, spread = torch.cat((values.mean(2, keepdim=True), resampled), dim=2).unbind(1)
    between = torch.stack([output.between_images(mean) for output, mean in zip(outputs, spread, strict=True)])
    return {"D": (deformation / between).log(), "R": (deformation / noise).log()}


def mean_over_permutations(values: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean over permutations, and its scatter, had others of the same kind been drawn.

    Means of draws with replacement from n numbers scatter too little if n is small: by ``sqrt((n - 1) / n)``, and with the
    tails of a normal distribution instead of Student's. Their deviations are enlarged by both, so that 95% intervals hold the
    true mean 95% of the time (Hesterberg, The American Statistician 69, 2015).

    Args:
        values: ``(n, M, 1 + resamples)``, n >= 2.

    Returns:
        ``(M, 1 + resamples)``; the first is the plain mean.
    """
    count = len(values)
    means = values.mean(0)
    shares = resample_counts(count, values.shape[-1] - 1, generator).to(values) / count
    drawn = torch.einsum("nmr,rn->mr", values[..., 1:], shares)
    wider = math.sqrt(count / (count - 1)) * quantiles.student(count - 1) / quantiles.NORMAL
    return torch.cat((means[:, :1], means[:, 1:] + wider * (drawn - means[:, 1:])), dim=1)


def surviving_gain(init: Tensor, trained: Tensor, shuffled: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Compare log D, or log R, at init, trained and shuffled, all over the same resampled images.

    Args:
        init, trained: ``(M, 1 + resamples)``, from :func:`log_stabilities`.
        shuffled: of every permutation, ``(n, M, 1 + resamples)``, n >= 2.
        generator: for the bootstrap over permutations.

    Returns:
        ``(M,)`` each: D or R by state, ``init``, ``trained`` and ``shuffled`` (geometric mean over permutations); ``gain``, the
        logarithm of ``init / trained``; ``gain_shuffled``, of ``init / shuffled``; ``share``, the second over the first; and
        95% intervals of these three, ``gain_low``, ``gain_high`` and so on. The share and its interval are NaN unless the
        interval of the gain lies above 0: elsewhere training gained nothing that could survive.
    """
    shuffled = mean_over_permutations(shuffled, generator)
    states = {"init": init, "trained": trained, "shuffled": shuffled}
    columns = {state: logs[:, 0].exp() for state, logs in states.items()}
    gain, gain_shuffled = init - trained, init - shuffled
    for name, values in (("gain", gain), ("gain_shuffled", gain_shuffled), ("share", gain_shuffled / gain)):
        low, high = percentile_interval(values[:, 1:])
        columns |= {name: values[:, 0], f"{name}_low": low, f"{name}_high": high}
    gained = columns["gain_low"] > 0
    return columns | {name: columns[name].where(gained, math.nan) for name in ("share", "share_low", "share_high")}


class Compared(NamedTuple):
    """A network in a state, as it is measured.

    Attributes:
        state: ``init``, ``trained`` or ``shuffled``.
        permutation: number of the shuffle; none of the others.
        statistics: whose its batch-norm uses: ``batch`` or ``estimated`` at init, else see :func:`batch_norm_choices`.
        network: as it is measured.
        batch_norm: as :func:`distances_by_operation` takes it.
        metadata: of its checkpoint.
    """

    state: str
    permutation: int | None
    statistics: str
    network: nn.Module
    batch_norm: BatchNorm
    metadata: dict

    @property
    def columns(self) -> dict:
        """The columns that say which network a row of the table is about."""
        return describe(self.state, self.metadata) | {"permutation": self.permutation, "batch_norm": self.statistics}

    def __str__(self) -> str:
        shuffle = "" if self.permutation is None else f" by permutation {self.permutation}"
        return f"{self.metadata['net']}, {self.state}{shuffle}, batch-norm {self.statistics}"


def networks_to_compare(given: Given) -> Iterator[Compared]:
    """Yield a training's network at init, trained, and trained with each shuffle of its channels; each with every choice of
    batch-norm statistics, one at a time.

    Raises:
        InputError: the training has no init, or the network no channels to shuffle.
    """
    *untrained, (_, _, trained, metadata) = evaluated_networks(given.checkpoints, given.device)
    if not untrained:
        raise InputError(f"{metadata['net']} has no init to compare with: {_remedy(metadata['net'])}")
    _check_shuffled(trained, metadata["net"])
    for init in untrained:
        yield Compared("init", None, init.statistics, init.network, init.batch_norm, init.metadata)
    splits = split_dataset(given.dataset, **metadata["split"])
    for number in (None, *range(given.settings.permutations)):
        network, state = trained, "trained"
        if number is not None:
            orders = random_permutations(trained, generator_for("channel permutation", given.probe.seed, number))
            network, state = permute_input_channels(trained, orders), "shuffled"
        for choice in batch_norm_choices(network):
            yield Compared(state, number, choice, with_statistics(network, choice, splits), "running", metadata)


def check_network(network: nn.Module, name: str, dataset: Dataset) -> None:
    """Raise :class:`InputError` if a network has no channels to shuffle, or operations that, untrained, tell no images apart."""
    _check_shuffled(network, name)
    check_operations(network, name, dataset, _remedy(name))


def _check_shuffled(network: nn.Module, name: str) -> None:
    if all(layer.in_channels == layer.groups for layer in convolutions_of(network).values()):
        raise InputError(f"{name} has no convolution that combines channels, nothing to shuffle: {_remedy(name)}")


Logs = dict[tuple[str, str], list[dict[str, Tensor]]]  # by state and statistics, of each permutation: log D and log R


def _measure_all(networks: Iterable[Compared], images: Images, given: Given) -> tuple[list[dict], list[dict], Logs]:
    """Rows of the table; columns that say which operations there are; and log D and log R of every network."""
    probe = given.probe
    perturbation = given.stability.measured_with() | {"batch_size": probe.batch_size}
    rows, operations, logs = [], [], defaultdict(list)
    for compared in networks:
        generator = probe_generator(probe)
        distances = distances_by_operation(
            compared.network, images, **perturbation, batch_norm=compared.batch_norm, generator=generator
        )
        try:
            measured = stability_of(distances, resamples=probe.resamples, generator=generator)
        except InputError as error:
            raise InputError(f"{compared}: {error}; {_remedy(compared.metadata['net'])}") from None
        bootstrap = generator_for("bootstrap", probe.seed)
        logs[compared.state, compared.statistics].append(log_stabilities(distances, probe.resamples, bootstrap))
        operations = operation_columns(compared.network, distances)
        rows += [
            {**compared.columns, **operation, **stability_columns(result)}
            for operation, result in zip(operations, measured.values(), strict=True)
        ]
    return rows, operations, logs


def _gain_rows(operations: list[dict], logs: Logs, probe: Probe) -> list[dict]:
    """The surviving gain of every operation: by the statistics of the trained nets, those of init, and of D and of R."""
    choices = {state: [choice for other, choice in logs if other == state] for state in ("trained", "init")}
    rows = []
    for batch_norm, init_batch_norm, quantity in product(choices["trained"], choices["init"], ("D", "R")):
        which = {"batch_norm": batch_norm, "init_batch_norm": init_batch_norm, "quantity": quantity}
        (init,), (trained,) = logs["init", init_batch_norm], logs["trained", batch_norm]
        shuffled = torch.stack([one[quantity] for one in logs["shuffled", batch_norm]])
        generator = generator_for("permutations", probe.seed)
        columns = surviving_gain(init[quantity], trained[quantity], shuffled, generator)
        by_operation = zip(operations, *(column.tolist() for column in columns.values()), strict=True)
        rows += [which | operation | dict(zip(columns, numbers, strict=True)) for operation, *numbers in by_operation]
    return rows


def _remedy(name: str) -> str:
    return f"take {name} out of channel_shuffling.networks"


def measure_channel_shuffling(given: Given) -> Measured:
    """Measure a training's network at init, trained, and trained with shuffled channels, after every operation.

    A network with batch-norm is measured at init as in other figures (``batch_norm`` is ``batch``, and beside it
    ``estimated``), trained and shuffled with its statistics kept as training left them (``kept``), and with statistics
    estimated again from the training images (``re-estimated``), which suit a shuffled network's own weights.

    Returns:
        Rows of the table ``channel_shuffling``, one per network and operation. Rows of its summary, one per operation and
        ``quantity`` (D, R), for every choice of statistics of the trained and the shuffled network (``batch_norm``) and of that
        at init (``init_batch_norm``): see :func:`surviving_gain`. The last operation is the network's output.

    Raises:
        InputError: a checkpoint that cannot be read, a cutoff without a temperature range for these images, a network without
            an init or without channels to shuffle, or an operation whose output is NaN or the same for every image.
    """
    check_temperature_range(given.dataset.image_size, given.stability.cutoff)
    images = probe_on(given.dataset, given.probe, given.device)
    rows, operations, logs = _measure_all(networks_to_compare(given), images, given)
    identity = describe(None, read_metadata(list_checkpoints(given.checkpoints)[-1]))
    identity["permutations"] = given.settings.permutations
    return Measured(rows, [identity | row for row in _gain_rows(operations, logs, given.probe)])
