"""Batch-norm that normalises by whole sets of images, for networks that have no running statistics.

A network at init has none: the code of arXiv:2105.02468 lets every set of images normalise itself, the clean, the deformed and
the noisy ones each by their own mean and variance. Here these are taken over the whole set, so that nothing depends on how many
images a forward pass takes.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple, Protocol, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .errors import InputError
from .images import Images, batches_of
from .operations import SCRIPTED, evaluating, is_scripted, uncompiled

BatchNorm = Literal["running", "batch"]
Sets = Callable[[], Iterable[Iterable[Tensor]]]


class Forward(Protocol):
    """A network on images that belong to sets."""

    def __call__(self, images: Tensor, *numbers: int) -> Tensor:
        """Return the output for images of the sets of these numbers, as many of each and in their order."""

    def prepare(self, *numbers: int) -> None:
        """Find the statistics of these sets now; what observes the network would see the passes that it takes."""


class Moments(NamedTuple):
    """Mean and variance of each channel, ``(C,)`` float64, and of how many images they are."""

    mean: Tensor
    variance: Tensor
    images: int

    @classmethod
    def of(cls, values: Tensor) -> "Moments":
        """Those of the input ``(B, C, ...)`` of a batch-norm."""
        axes = [axis for axis in range(values.ndim) if axis != 1]
        exact = values.to(torch.promote_types(values.dtype, torch.float32))
        variance, mean = torch.var_mean(exact, axes, correction=0)
        return cls(mean.double(), variance.double(), len(values))

    def joined(self, other: "Moments") -> "Moments":
        """Those of the images of both."""
        images = self.images + other.images
        share, difference = other.images / images, other.mean - self.mean
        mean = self.mean + share * difference
        within = (1 - share) * self.variance + share * other.variance
        return Moments(mean, within + share * (1 - share) * difference.square(), images)


def batch_norms(network: nn.Module) -> list[nn.Module]:
    """Return the batch-norms of a network, of any dimension and of libraries that derive their own."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


def normalised_by_set(network: nn.Module, batch_norm: BatchNorm) -> list[nn.Module]:
    """Return the batch-norms that normalise by the set of images: all, or those that keep no running statistics.

    Raises:
        InputError: ``batch_norm`` is neither ``running`` nor ``batch``; or it is ``batch`` and the network is scripted.
    """
    if batch_norm not in get_args(BatchNorm):
        raise InputError(f"batch_norm is {batch_norm!r}: it must be one of {', '.join(get_args(BatchNorm))}")
    if batch_norm == "batch" and is_scripted(network):
        raise InputError(f"batch_norm='batch' changes how batch-norms work, and {SCRIPTED}")
    return [norm for norm in batch_norms(network) if batch_norm == "batch" or norm.running_mean is None]


@contextmanager
def set_normalised(network: nn.Module, batch_norm: BatchNorm, sets: Sets, images: int) -> Iterator[Forward]:
    """Let a network in evaluation mode normalise each of several sets of images by the set's own statistics.

    Args:
        network: any module on images ``(B, C, n, n)``.
        batch_norm: ``batch``: every batch-norm does so; ``running``: those alone that keep no running statistics.
        sets: yields the images batch by batch, a tensor for each set; called as often as it takes to know the statistics: not at
            all where a whole set is passed forward, once where one batch holds it, else about once for every batch-norm.
        images: how many every set has.

    Yields:
        The network on images that belong to the sets.

    Raises:
        InputError: ``batch_norm`` is unknown, or the network's batch-norms run differently from batch to batch.
    """
    norms = normalised_by_set(network, batch_norm)
    if not norms:
        yield _Plain(network)
        return
    normaliser = _Normaliser(network, norms, sets, images)
    with normaliser.attached():
        yield normaliser


class _Plain:
    """A network whose batch-norms need nothing to be known of sets."""

    def __init__(self, network: nn.Module):
        self._network = network

    def __call__(self, images: Tensor, *_numbers: int) -> Tensor:
        return self._network(images)

    def prepare(self, *numbers: int) -> None:
        pass


class _NotYetKnown(BaseException):
    """Ends a forward pass at a batch-norm whose statistics wait for other images; no model's ``except Exception`` sees it."""


class _Normaliser:
    """Gives batch-norms their inputs normalised by the statistics of sets of images, which it finds layer by layer.

    Statistics are listed by set, and in order of the calls of batch-norms within a forward pass.
    """

    def __init__(self, network: nn.Module, norms: Sequence[nn.Module], sets: Sets, images: int):
        self._network = network
        self._norms = norms
        self._images_of = sets
        self._count = images
        self._known: dict[int, list[Moments]] = {}
        self._gathering: _Gathering | None = None
        self._sets: tuple[int, ...] = ()
        self._whole = False
        self._calls = 0

    def __call__(self, images: Tensor, *numbers: int) -> Tensor:
        whole = len(images) == self._count * len(numbers)
        if not whole:
            self.prepare(*numbers)
        self._whole = whole
        return self._run(images, numbers)

    def prepare(self, *numbers: int) -> None:
        unknown = {number for number in numbers if number not in self._known}
        if unknown:
            self._find_statistics(unknown)

    def _run(self, images: Tensor, numbers: tuple[int, ...]) -> Tensor:
        self._sets, self._calls = numbers, 0
        return self._network(images)

    def statistics(self, number: int) -> list[Moments]:
        """Return the statistics of a set, in the order in which its batch-norms run."""
        return self._known[number]

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Put hooks on the batch-norms, which for the while keep statistics that change nothing."""
        kept = [(norm, norm.running_mean, norm.running_var) for norm in self._norms]
        handles = [norm.register_forward_pre_hook(self._normalise) for norm in self._norms]
        try:
            with uncompiled(self._network):
                yield
        finally:
            for handle in handles:
                handle.remove()
            for norm, mean, variance in kept:
                norm.running_mean, norm.running_var = mean, variance

    def _find_statistics(self, wanted: set[int]) -> None:
        """Find the statistics of some of the sets; each batch goes as deep as is known, and adds its own to what is not."""
        self._whole = False
        self._known |= {number: [] for number in wanted}
        gatherings = {number: _Gathering(self._count, self._known[number]) for number in wanted}
        complete: set[int] = set()
        while complete < wanted:
            for place, batch in enumerate(self._images_of()):
                for number, part in zip(range(1 + max(wanted)), batch, strict=False):
                    if number in wanted and self._gathers(gatherings[number], place, part, number):
                        complete.add(number)
        self._gathering = None

    def _gathers(self, gathering: "_Gathering", place: int, images: Tensor, number: int) -> bool:
        """Pass a batch forward until it meets statistics that wait for others; whether it came to the end."""
        self._gathering, gathering.place = gathering, place
        try:
            self._run(images.clone(), (number,))  # a network may change its input in place
        except _NotYetKnown:
            return False
        return True

    def _normalise(self, norm: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values, *others = inputs
        if self._gathering is not None:
            self._gathering.add(self._calls, values)
        chunks = values.chunk(len(self._sets))
        try:
            statistics = (
                [Moments.of(chunk) for chunk in chunks]
                if self._whole
                else [self._known[number][self._calls] for number in self._sets]
            )
        except IndexError:
            raise InputError(
                "the network's batch-norms do not run alike in every pass: use batch_norm='running'"
            ) from None
        self._calls += 1
        _neutralise(norm, values)
        parts = [
            F.batch_norm(chunk, moments.mean.to(chunk), moments.variance.to(chunk), eps=norm.eps)
            for chunk, moments in zip(chunks, statistics, strict=True)
        ]
        return (torch.cat(parts), *others)


class _Gathering:
    """Gathers one set's statistics of the first batch-norm that lacks them.

    Args:
        images: of the set.
        known: statistics of the batch-norms before; gets this one's once all images have been seen.
    """

    def __init__(self, images: int, known: list[Moments]):
        self.place = 0
        self._images = images
        self._known = known
        self._seen: dict[int, int] = {}
        self._moments: Moments | None = None

    def add(self, call: int, values: Tensor) -> None:
        """Take the input of a batch-norm; ends the pass if its statistics are still not those of all images."""
        if call < len(self._known):
            return
        if self._seen.get(self.place, 0) > call:
            raise _NotYetKnown
        self._seen[self.place] = call + 1
        moments = Moments.of(values)
        self._moments = moments if self._moments is None else self._moments.joined(moments)
        if self._moments.images < self._images:
            raise _NotYetKnown
        self._known.append(self._moments)
        self._moments = None


def _neutralise(norm: nn.Module, values: Tensor) -> None:
    """Give a batch-norm running statistics that leave normalised values as they are, but for its learned scale and shift."""
    like = norm.weight if norm.affine else values
    norm.running_mean = like.new_zeros(norm.num_features)
    norm.running_var = like.new_full((norm.num_features,), 1 - norm.eps)


@torch.no_grad()
def with_set_statistics(network: nn.Module, images: Images, batch_size: int, batch_norm: BatchNorm) -> nn.Module:
    """Return a network whose batch-norms have the statistics of a set of images for their running ones.

    Args:
        network: left as it is; returned itself if there is nothing to do.
        images: ``(P, C, n, n)``, on the network's device.
        batch_size: images per forward pass.
        batch_norm: ``batch``: of all batch-norms; ``running``: of those that keep no running statistics.

    Raises:
        InputError: a batch-norm runs several times in a pass.
    """
    if not normalised_by_set(network, batch_norm):
        return network
    network = copy.deepcopy(network)
    norms = normalised_by_set(network, batch_norm)
    order: list[nn.Module] = []
    handles = [norm.register_forward_pre_hook(lambda norm, _inputs: order.append(norm)) for norm in norms]
    normaliser = _Normaliser(
        network, norms, lambda: ((batch,) for _, batch in batches_of(images, batch_size)), len(images)
    )
    with evaluating(network), normaliser.attached():
        normaliser.prepare(0)
        order.clear()
        normaliser(images[:1], 0)
    for handle in handles:
        handle.remove()
    if len(set(order)) < len(order):
        raise InputError("the network runs a batch-norm more than once in a pass: it has no single set of statistics")
    for norm, moments in zip(order, normaliser.statistics(0), strict=True):
        like = norm.weight if norm.affine else moments.mean.float()
        norm.running_mean, norm.running_var = moments.mean.to(like), moments.variance.to(like)
    return network
