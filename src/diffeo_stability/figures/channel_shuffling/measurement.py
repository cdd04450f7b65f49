r"""What of the stability that a network learns survives a shuffle of its channels.

A filter can pool over space, by being smooth, and over channels, by combining those that the layers before it made for it.
A random permutation of the input channels of every convolution leaves each filter over space as it is, and breaks what
channels have to do with each other: what is left is what spatial pooling alone does.

The gain is the logarithm of the factor by which training lowers R up to an operation, and logarithms split it in two:

.. math::

    \log \frac{R_{init}}{R_{trained}} = \log \frac{R_{init}}{R_{shuffled}} + \log \frac{R_{shuffled}}{R_{trained}}.

The first part survives the shuffle, and its share of the gain is reported: 1 if the stability is all spatial pooling, 0 if it
is all in how channels are combined. Below 0, shuffled filters are less stable than those at init; above 1, more stable than
trained ones. (Shares of the difference of R itself would depend on which of the two kinds of pooling is counted first.) All
convolutions up to the operation are shuffled, so that a share is not that of one layer.

Source: the November 2021 deck, "What if we take a trained net and randomly permute the channels? If it was all about (1)
[spatial pooling by each filter], nothing should change. Can we decouple the contribution of the two?"
"""

import copy
import math
from collections.abc import Iterable, Iterator, Mapping

import torch
from scipy import stats
from torch import Tensor, nn

from ...core.bootstrap import bootstrap_means, percentile_interval, resample_counts
from ...core.deformation import check_temperature_range
from ...core.distances import Distances
from ...core.errors import InputError
from ...core.images import Images
from ...core.seeds import generator_for
from ...core.stability import distances_by_operation, stability_of
from ...data.datasets import Splits, split_dataset
from ...networks.batch_norm import estimate_batch_norm
from ..measuring import describe, networks_by_state, operation_columns, probe_generator, probe_on, stability_columns
from ..registry import Given, Measured
from ..settings import Probe


def _convolutions(network: nn.Module) -> dict[str, nn.Conv2d]:
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}


def random_permutations(network: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw an order of the input channels of every convolution, by its name: ``(in_channels,)`` each.

    Channels of a grouped convolution stay in their group, which alone reads them: a depthwise one keeps its order.
    """

    def draw(channels: int, groups: int) -> Tensor:
        size = channels // groups
        return torch.cat([start + torch.randperm(size, generator=generator) for start in range(0, channels, size)])

    return {name: draw(layer.in_channels, layer.groups) for name, layer in _convolutions(network).items()}


@torch.no_grad()
def permute_input_channels(network: nn.Module, permutations: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy of a network whose convolutions read their input channels in another order.

    Input channel ``c`` meets the filters that were made for channel ``permutation[c]``: the weights become
    ``weight[:, permutation]``. To permute the input channels themselves by the inverse permutation would give the same.

    Args:
        permutations: by the convolution's name, ``(in_channels,)``; convolutions that are not named stay as they are.

    Raises:
        InputError: a name that is no convolution, or not every input channel once and within its group.
    """
    permuted = copy.deepcopy(network)
    convolutions = _convolutions(permuted)
    for name, permutation in permutations.items():
        if name not in convolutions:
            raise InputError(f"{name!r} is no convolution of the network; it has {', '.join(convolutions) or 'none'}")
        convolution = convolutions[name]
        channels = torch.arange(convolution.in_channels).view(convolution.groups, -1)
        if permutation.numel() != channels.numel() or not torch.equal(
            permutation.view_as(channels).sort(dim=1).values, channels
        ):
            raise InputError(
                f"the permutation of {name} must hold its {convolution.in_channels} input channels once each, those of "
                f"each of its {convolution.groups} groups in that group's places"
            )
        orders = permutation.view_as(channels) - channels[:, :1]
        groups = convolution.weight.chunk(convolution.groups)
        convolution.weight.copy_(torch.cat([group[:, order] for group, order in zip(groups, orders, strict=True)]))
    return permuted


def log_relative_stability(distances: Mapping[str, Distances], resamples: int, generator: torch.Generator) -> Tensor:
    """Return log R of M outputs, ``(M, 1 + resamples)``: of the images as they are, then of bootstrap samples of them.

    Generators of one seed draw the same images for every network, so that an interval of how networks compare can be taken
    over the last axis.

    Args:
        distances: of each output, under deformation, then noise.
    """
    moved = torch.stack([output.moved for output in distances.values()])
    means = bootstrap_means(moved.flatten(0, 1), resamples, generator).view(len(moved), 2, resamples)
    deformation, noise = torch.cat((moved.mean(2, keepdim=True), means), dim=2).log().unbind(1)
    return deformation - noise


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
    wider = math.sqrt(count / (count - 1)) * stats.t.ppf(0.975, count - 1) / stats.norm.ppf(0.975)
    return torch.cat((means[:, :1], means[:, 1:] + wider * (drawn - means[:, 1:])), dim=1)


def surviving_gain(init: Tensor, trained: Tensor, shuffled: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Compare log R at init, trained and shuffled, all over the same resampled images.

    Args:
        init, trained: ``(M, 1 + resamples)``, from :func:`log_relative_stability`.
        shuffled: of every permutation, ``(n, M, 1 + resamples)``, n >= 2.
        generator: for the bootstrap over permutations.

    Returns:
        ``(M,)`` each: ``R_init``, ``R_trained``, ``R_shuffled`` (geometric mean over permutations); ``gain``, the logarithm of
        ``R_init / R_trained``; ``gain_shuffled``, of ``R_init / R_shuffled``; ``share``, the second over the first; and 95%
        intervals of these three, ``gain_low``, ``gain_high`` and so on. The share and its interval are NaN unless the
        interval of the gain lies above 0: elsewhere training gained nothing that could survive.
    """
    shuffled = mean_over_permutations(shuffled, generator)
    states = {"init": init, "trained": trained, "shuffled": shuffled}
    columns = {f"R_{state}": logs[:, 0].exp() for state, logs in states.items()}
    gain, gain_shuffled = init - trained, init - shuffled
    for name, values in (("gain", gain), ("gain_shuffled", gain_shuffled), ("share", gain_shuffled / gain)):
        low, high = percentile_interval(values[:, 1:])
        columns |= {name: values[:, 0], f"{name}_low": low, f"{name}_high": high}
    gained = columns["gain_low"] > 0
    return columns | {name: columns[name].where(gained, math.nan) for name in ("share", "share_low", "share_high")}


def batch_norm_choices(network: nn.Module) -> tuple[str, ...]:
    """Return which statistics its batch-norm can be measured with: ``kept`` and ``re-estimated``, or ``none`` without one."""
    has_one = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    return ("kept", "re-estimated") if has_one else ("none",)


def _with_statistics(network: nn.Module, batch_norm: str, splits: Splits) -> nn.Module:
    if batch_norm != "re-estimated":
        return network
    estimated = copy.deepcopy(network)
    estimate_batch_norm(estimated, splits)
    return estimated


def networks_to_compare(
    init: nn.Module, trained: nn.Module, permutations: int, seed: int
) -> Iterator[tuple[str, int | None, nn.Module]]:
    """Yield state, number of the permutation and network: at init, trained, and trained with each shuffle of its channels."""
    yield "init", None, init
    yield "trained", None, trained
    for number in range(permutations):
        orders = random_permutations(trained, generator_for("channel permutation", seed, number))
        yield "shuffled", number, permute_input_channels(trained, orders)


def _compare(
    networks: Iterable[tuple[str, int | None, nn.Module]],
    images: Images,
    batch_norm: str,
    splits: Splits,
    metadata: dict,
    given: Given,
) -> tuple[list[dict], list[dict]]:
    """Rows of the table and of its summary for one choice of batch-norm statistics."""
    probe = given.probe
    perturbation = given.stability.measured_with() | {"batch_size": probe.batch_size}
    rows, operations = [], []
    logs: dict[str, list[Tensor]] = {"init": [], "trained": [], "shuffled": []}
    for state, number, network in networks:
        generator = probe_generator(probe)
        with_statistics = _with_statistics(network, batch_norm, splits)
        distances = distances_by_operation(with_statistics, images, **perturbation, generator=generator)
        try:
            measured = stability_of(distances, resamples=probe.resamples, generator=generator)
        except InputError as error:
            which = state if number is None else f"{state} by permutation {number}"
            raise InputError(
                f"{metadata['net']}, {which}, batch-norm {batch_norm}: {error}; {_remedy(metadata)}"
            ) from None
        bootstrap = generator_for("bootstrap", probe.seed)
        logs[state].append(log_relative_stability(distances, probe.resamples, bootstrap))
        operations = operation_columns(network, distances)
        which = {**describe(state, metadata), "permutation": number, "batch_norm": batch_norm}
        rows += [
            {**which, **operation, **stability_columns(result)}
            for operation, result in zip(operations, measured.values(), strict=True)
        ]
    which = describe(None, metadata) | {"batch_norm": batch_norm, "permutations": len(logs["shuffled"])}
    return rows, [which | row for row in _gain_rows(operations, logs, probe)]


def _gain_rows(operations: list[dict], logs: Mapping[str, list[Tensor]], probe: Probe) -> list[dict]:
    """The surviving gain of every operation, from log R by state."""
    (init,), (trained,), shuffled = logs["init"], logs["trained"], torch.stack(logs["shuffled"])
    columns = surviving_gain(init, trained, shuffled, generator_for("permutations", probe.seed))
    by_operation = zip(operations, *(column.tolist() for column in columns.values()), strict=True)
    return [operation | dict(zip(columns, numbers, strict=True)) for operation, *numbers in by_operation]


def _remedy(metadata: dict) -> str:
    return f"take {metadata['net']} out of channel_shuffling.networks"


def measure_channel_shuffling(given: Given) -> Measured:
    """Measure a training's network at init, trained, and trained with shuffled channels, after every operation.

    A network with batch-norm is measured with its statistics kept as training left them, and with statistics estimated
    again from the training images, in all three states, so that a comparison sees the shuffle alone.

    Returns:
        Rows of the table ``channel_shuffling``, one per network and operation, and of its summary, one per operation: see
        :func:`surviving_gain`. The last operation is the network's output.

    Raises:
        InputError: a checkpoint that cannot be read, a cutoff without a temperature range for these images, a network without
            channels to shuffle, or an operation whose output is NaN or the same for every image.
    """
    dataset, probe = given.dataset, given.probe
    check_temperature_range(dataset.image_size, given.stability.cutoff)
    images = probe_on(dataset, probe, given.device)
    (_, init, metadata), (_, trained, _) = networks_by_state(given.checkpoints, given.device)
    if all(layer.in_channels == layer.groups for layer in _convolutions(trained).values()):
        raise InputError(
            f"{metadata['net']} has no convolution that combines channels, nothing to shuffle: {_remedy(metadata)}"
        )
    splits = split_dataset(dataset, **metadata["split"])
    rows, summary = [], []
    for batch_norm in batch_norm_choices(trained):
        networks = networks_to_compare(init, trained, given.settings.permutations, probe.seed)
        more_rows, more_summary = _compare(networks, images, batch_norm, splits, metadata, given)
        rows += more_rows
        summary += more_summary
    return Measured(rows, summary)
