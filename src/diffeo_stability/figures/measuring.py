"""What measurements of several figures share: the networks of a training, the probe images, and columns of their tables."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from ..core.bootstrap import percentile_interval
from ..core.by_operation import distances_by_operation
from ..core.compiled import uncompiled
from ..core.curves import Curve, Perturb, measure_curves, resample
from ..core.deformation import check_temperature_range
from ..core.errors import InputError, few
from ..core.images import Images
from ..core.operations import kind_of, named_operations, registered_name
from ..core.results import RelativeStability
from ..core.seeds import generator_for
from ..core.set_statistics import BatchNorm, batch_norms, with_set_statistics
from ..core.spectra import INPUT
from ..core.stability import StabilitySettings, relative_stability
from ..data.datasets import Dataset, Splits, split_dataset
from ..data.probe import ProbeImages, probe_images
from ..networks.checkpoints import list_checkpoints, load_checkpoint, read_metadata
from ..networks.evaluation import error_interval, error_rate
from .registry import Given
from .settings import Probe
from .stability import Stability

FEW = 8  # images


def networks_by_state(folder: str | Path, device: torch.device | str) -> Iterator[tuple[str, nn.Module, dict]]:
    """Yield a training's network at ``init`` and ``trained``, each with its metadata, one at a time.

    Of a network with weights from elsewhere ``init`` is drawn anew, or left out where its block says so.
    """
    checkpoints = list_checkpoints(folder)
    states = {"init": checkpoints[0], "trained": checkpoints[-1]}
    if len(checkpoints) == 1 and is_imported(read_metadata(checkpoints[0])):
        del states["init"]
    for state, path in states.items():
        yield state, *load_network(path, device)


def is_imported(metadata: dict) -> bool:
    """Whether a network was trained elsewhere: nothing is known of its training, and its init is another one, drawn anew."""
    return "weights" in metadata


class Evaluated(NamedTuple):
    """A training's network in a state, and whose statistics its batch-norm uses.

    Attributes:
        state: ``init`` or ``trained``.
        statistics: ``batch``: each whole set of images has its own; ``estimated``: once from training images; ``running``: as
            training left them; ``none``: it has no batch-norm.
        network: as it is measured.
        metadata: of its checkpoint.
    """

    state: str
    statistics: str
    network: nn.Module
    metadata: dict

    @property
    def batch_norm(self) -> BatchNorm:
        """As functions that measure a network take it."""
        return "batch" if self.statistics == "batch" else "running"

    @property
    def columns(self) -> dict:
        """The columns that say which network a row of a table is about, and how its batch-norm normalised."""
        return describe(self.state, self.metadata) | {"batch_norm": self.statistics}

    def normalising_like(self, images: Images, probe: Probe) -> nn.Module:
        """Return the network with statistics that no longer depend on what is looked at: where whole sets have their own, those
        of the images as they are. So are single neurons measured, of which no set of images is transformed as a whole."""
        return with_set_statistics(self.network, images, probe.batch_size, self.batch_norm)


def evaluated_networks(folder: str | Path, device: torch.device | str) -> Iterator[Evaluated]:
    """Yield a training's network at ``init`` and ``trained``; with batch-norm at init twice, as figures show it first.

    At init the source's code normalises each set of images by itself (``batch``); the other reading has statistics of training
    images, once (``estimated``). Tables hold both.
    """
    for state, network, metadata in networks_by_state(folder, device):
        if not batch_norms(network):
            choices = ("none",)
        elif state == "init":
            choices = ("batch", "estimated")
        else:
            choices = ("running",)
        for statistics in choices:
            yield Evaluated(state, statistics, network, metadata)


def load_network(checkpoint: str | Path, device: torch.device | str) -> tuple[nn.Module, dict]:
    """Return the network of a checkpoint as it is measured, and its metadata."""
    network, metadata = load_checkpoint(checkpoint)
    network = uncompiled(network)
    # Processors and GPUs both evaluate convolutions faster in this layout
    return network.to(device, memory_format=torch.channels_last), metadata


def probe_on(dataset: Dataset, probe: Probe, device: torch.device | str) -> ProbeImages:
    """Return the run's probe images, normalised when sliced, on a device."""
    return probe_images(dataset, probe.images, probe.seed, device)


def probe_generator(probe: Probe) -> torch.Generator:
    """Return the source of deformations and noise; a fresh one gives every network the same ones."""
    return generator_for("perturbations", probe.seed)


def describe(state: str | None, metadata: dict) -> dict:
    """Return the columns that say which network a row of a table is about; without ``state``, if it compares several."""
    return {
        "net": metadata["net"],
        "seed": metadata["seed"],
        **({} if state is None else {"state": state}),
        "architecture": metadata["network"]["name"],
        "width": metadata["network"].get("width", 1.0),
        "filter_size": metadata["network"].get("filter_size"),
        "imported": is_imported(metadata),
    }


def curve_rows(
    columns: dict, name: str, output: str, curve: Curve, norms: list[float], resampled: torch.Tensor
) -> list[dict]:
    """Return a curve as rows of the table, with 95% intervals ``distance_low`` and ``distance_high``."""
    low, high = percentile_interval(resampled)
    values = zip(norms, curve.distances.normalised(), low, high, curve.error, curve.changed, strict=True)
    names = ("r", "distance", "distance_low", "distance_high", "error", "changed")
    what = {**columns, "perturbation": name, "output": output}
    return [what | dict(zip(names, map(float, numbers), strict=True)) for numbers in values]


def settings_of(stability: Stability, probe: Probe) -> StabilitySettings:
    """Return a run's configuration as the keyword arguments of :func:`relative_stability`, with a fresh generator."""
    return {
        **stability.measured_with(),
        "batch_size": probe.batch_size,
        "resamples": probe.resamples,
        "generator": probe_generator(probe),
    }


def stability_columns(measured: RelativeStability) -> dict[str, float]:
    """Return D, G and R, their intervals and medians as columns of a table."""
    numbers = measured.to_dict()
    del numbers["images"]
    return numbers


def operation_columns(network: nn.Module, names: Iterable[str], start: int = 1) -> list[dict]:
    """Return the columns that say which operation a row is about.

    Args:
        names: of the operations, in order of execution; ``input`` for the images.
        start: number of the first one.
    """
    kinds = {INPUT: INPUT} | {name: kind_of(operation) for name, operation in named_operations(network).items()}
    return [
        {"operation": name, "operation_index": index, "kind": kinds[registered_name(name)]}
        for index, name in enumerate(names, start=start)
    ]


def check_operations(network: nn.Module, name: str, dataset: Dataset, remedy: str) -> None:
    """Raise :class:`InputError` if operations of an untrained network give the same output for every image.

    Libraries let the residual branches of untrained networks end in zeros. Neither D nor G is defined then.

    Args:
        name: of the network, for the error.
        dataset: whose images it takes.
        remedy: what to do about it.
    """
    size = dataset.image_size
    images = torch.randn(FEW, dataset.channels, size, size, generator=generator_for("images for a check"))
    distances = distances_by_operation(network, images, displacement=0.5, batch_norm="batch")
    constant = [operation for operation, measured in distances.items() if measured.constant]
    if constant:
        raise InputError(
            f"{name}: untrained, operations of it give the same output for every image ({few(constant)}): {remedy}"
        )


def layer_columns(identity: dict, names: Iterable[str]) -> list[dict]:
    """Return the columns that say which layer a row is about.

    Args:
        identity: columns that say which network, see :func:`describe`.
        names: of the layers, in order of execution.
    """
    return [{**identity, "layer": name, "layer_index": index} for index, name in enumerate(names, start=1)]


def measured_curves(
    given: Given, images: ProbeImages, perturbations: Callable[[], Mapping[str, Perturb]]
) -> Iterator[tuple[Evaluated, dict[tuple[str, str], Curve]]]:
    """Yield a training's network at init and trained with its curves, by name of the perturbation and of the output.

    Arguments are those of :func:`curves_by_state`.
    """
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        yield (
            evaluated,
            measure_curves(
                evaluated.network,
                images,
                images.labels,
                perturbations,
                batch_size=given.probe.batch_size,
                batch_norm=evaluated.batch_norm,
            ),
        )


def curves_by_state(
    given: Given, images: ProbeImages, perturbations: Callable[[], Mapping[str, Perturb]]
) -> Iterator[tuple[dict, str, str, Curve, torch.Tensor]]:
    """Yield the curves of a training's network at init and trained, under several perturbations.

    Args:
        given: of which ``checkpoints``, ``probe`` and ``device`` are used.
        images: the probe images.
        perturbations: gives the perturbations by name, with fresh generators: every network gets the same ones.

    Yields:
        Columns that say which network; name of the perturbation; name of the output; the curve; and its distances in
        bootstrap samples of the images, ``(M, resamples)``.
    """
    probe = given.probe
    for evaluated, curves in measured_curves(given, images, perturbations):
        for (name, output), curve in curves.items():
            resampled = resample(curve.distances, probe.resamples, generator_for("bootstrap", probe.seed))
            yield evaluated.columns, name, output, curve, resampled


def error_columns(evaluated: Evaluated, splits: Splits) -> dict:
    """Return the columns on a network's errors and on its training.

    Errors are those with its checkpoint's statistics: at init with those estimated once on training images, also in the rows
    whose D, G and R are by the statistics of each set (``batch_norm`` is ``batch``). What was trained elsewhere has no
    ``train_error``, ``train_size`` and ``epoch``.
    """
    network, metadata = evaluated.network, evaluated.metadata
    test_error = error_rate(network, splits, splits.test)
    low, high = error_interval(test_error, len(splits.test))
    training = {"train_error": None, "train_size": None, "epoch": None}
    if not is_imported(metadata):
        # Before the first step the training measured it as it is measured here
        known = metadata.get("train_error") if metadata["epoch"] == 0 else None
        training = {
            "train_error": error_rate(network, splits, splits.train) if known is None else known,
            "train_size": len(splits.train),
            "epoch": metadata["epoch"],
        }
    return {"test_error": test_error, "test_error_low": low, "test_error_high": high, **training}


def stability_rows(given: Given) -> list[dict]:
    """Measure a training's network at init and trained: one row each, with D, G, R and its errors, see :func:`error_columns`.
    With batch-norm there are two at init, which have the same errors.

    Args:
        given: of which ``checkpoints``, ``dataset``, ``stability``, ``probe`` and ``device`` are used.

    Raises:
        InputError: a checkpoint that cannot be read, or a cutoff without a temperature range for these images.
    """
    dataset, stability, probe = given.dataset, given.stability, given.probe
    check_temperature_range(dataset.image_size, stability.cutoff)
    images = probe_on(dataset, probe, given.device)
    rows, of_state = [], {}
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        splits = split_dataset(dataset, **evaluated.metadata["split"])
        measured = relative_stability(
            evaluated.network, images, batch_norm=evaluated.batch_norm, **settings_of(stability, probe)
        )
        if evaluated.state not in of_state:
            of_state[evaluated.state] = error_columns(evaluated, splits)
        rows.append(
            {
                **evaluated.columns,
                "cutoff": stability.cutoff,
                "delta": stability.displacement,
                **stability_columns(measured),
                **of_state[evaluated.state],
                "images": measured.images,
            }
        )
    return rows
