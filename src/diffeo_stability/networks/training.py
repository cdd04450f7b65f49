"""Seeded training that can be killed at any moment and goes on from where it was."""

import hashlib
import json
import logging
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn

from ..core.errors import InputError
from ..core.seeds import build_seeded, derive_seed, generator_for
from ..data.datasets import Splits
from ..data.tensors import read_tensors, save_tensors
from .batch_norm import estimate_batch_norm
from .batches import TrainingBatches
from .checkpoints import save_checkpoint
from .evaluation import error_rate, evaluated
from .precision import precision_on
from .progress import Progress
from .settings import Recipe

SECONDS_BETWEEN_SAVES = 10.0

logger = logging.getLogger(__name__)


@dataclass
class Epoch:
    """A row of the history table. Epoch 0 is the net at init, its training error measured in evaluation mode.

    Attributes:
        train_loss, train_error: means over the epoch's steps, with augmentation, as the net changes.
        validation_error: share of validation images misclassified at the end of the epoch; none if none are held out.
    """

    epoch: int
    train_loss: float
    train_error: float
    validation_error: float | None


def log_spaced_epochs(epochs: int, count: int) -> list[int]:
    """Return at most ``count`` epochs to keep: 0, the last, and between them ones evenly spaced in ``log(epoch)``."""
    between = [round(epochs ** (step / (count - 2))) for step in range(count - 2)] if epochs > 0 else []
    return sorted({0, *between, epochs})


def learning_rate_at(recipe: Recipe, progress: float) -> float:
    """Return the learning rate at a share ``progress`` of all steps, from 0 to 1."""
    if progress < recipe.warmup:
        return recipe.learning_rate * progress / recipe.warmup
    if recipe.schedule == "constant":
        return recipe.learning_rate
    decay = (progress - recipe.warmup) / (1 - recipe.warmup)
    share = (1 + math.cos(math.pi * decay)) / 2 if recipe.schedule == "cosine" else 1 - decay
    return recipe.learning_rate * share


def freeze_all_but_read_out(network: nn.Module) -> None:
    """Keep everything but the last linear map from being trained.

    Raises:
        InputError: the network has no linear map.
    """
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise InputError("trained_part is read_out, but the network has no linear map to train: set it to all")
    network.requires_grad_(False)
    linear[-1].requires_grad_(True)


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimizer of what is trained; its learning rate is set at every step."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    settings = {"lr": 0.0, "weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, momentum=recipe.momentum, nesterov=recipe.nesterov and recipe.momentum > 0, **settings
        )
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    return kind(parameters, betas=(recipe.momentum, 0.999), **settings)


def mean_loss(kind: str, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean loss of logits ``(B, classes)`` for labels ``(B,)``: cross-entropy or hinge.

    The hinge loss adds ``max(0, 1 - (f_y - f_j))`` over the classes j besides the right one, y (Weston and Watkins, 1999); of two
    classes it is the usual one of their difference.
    """
    if kind == "hinge":
        return F.multi_margin_loss(logits, labels) * logits.shape[1]
    return F.cross_entropy(logits, labels)


def train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: TrainingBatches,
    recipe: Recipe,
    *,
    seed: int,
    epoch: int,
) -> tuple[float, float]:
    """Train for one epoch, all of whose randomness comes from ``seed`` and ``epoch``.

    Returns:
        Mean loss and error rate over the epoch's images.

    Raises:
        InputError: the loss is no longer finite.
    """
    device = next(network.parameters()).device
    generator = generator_for("training", seed, epoch)
    order = torch.randperm(len(images), generator=generator)
    # Batches of nearly equal size: a last batch of one image would have no batch statistics
    batches = order.tensor_split(steps_per_epoch(len(images), recipe))
    total = torch.zeros(2, dtype=torch.float64, device=device)
    # Evaluated where a part is frozen, so that no batch-norm statistic of it moves
    network.train(all(parameter.requires_grad for parameter in network.parameters()))
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed("dropout", seed, epoch))
        for step, index in enumerate(batches):
            progress = (epoch - 1 + step / len(batches)) / recipe.epochs
            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(recipe, progress)
            total += _train_step(network, optimizer, *images.take(index, generator), recipe)
    loss, error = (total / len(order)).tolist()
    if not math.isfinite(loss):
        raise InputError(
            f"the training loss became {loss} in epoch {epoch}: lower training.learning_rate "
            f"(now {recipe.learning_rate}), or add training.warmup"
        )
    return loss, error


def steps_per_epoch(count: int, recipe: Recipe) -> int:
    """Return in how many steps so many training images are passed once."""
    return math.ceil(count / recipe.batch_size)


def _train_step(
    network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor, recipe: Recipe
) -> Tensor:
    """Take one step; the loss, added up over the images, and how many of them were misclassified before it: ``(2,)``."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        logits = network(images)
        loss = mean_loss(recipe.loss, logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    wrong = (logits.detach().argmax(1) != labels).sum()
    return torch.stack((loss.detach() * len(labels), wrong)).double()


def train_network(
    build: Callable[[], nn.Module],
    splits: Splits,
    recipe: Recipe,
    folder: str | Path,
    *,
    seed: int,
    checkpoints: int,
    metadata: dict,
    origin: dict | None = None,
    code: str = "",
    device: torch.device | str = "cpu",
) -> list[Epoch]:
    """Train a network and keep checkpoints at init, at log-spaced epochs and at the end.

    Works in ``<folder>.partial``, which becomes ``folder`` once all is done. If it exists and was made by the same code
    from the same arguments, training goes on from it and, on a CPU, ends with the same weights as without the break.

    Args:
        build: makes the untrained network; called with torch's default generator seeded.
        splits: the images. Nothing is ever chosen by, or computed from, the test images.
        folder: gets ``epoch<k>.safetensors`` and ``.json``, one pair per checkpoint.
        seed: of weights, order, augmentation and dropout.
        checkpoints: how many checkpoints to keep.
        metadata: written beside every checkpoint; identifies the training when it goes on after a break.
        origin: written beside every checkpoint too, but identifies nothing: commit and versions, say.
        code: fingerprint of the code that decides the weights; identifies the training, too.

    Returns:
        The history, epoch 0 (init) included.

    Raises:
        InputError: the loss is no longer finite, or the recipe asks for another noise than the images have.
    """
    if recipe.noise != splits.noise:
        raise InputError(
            f"the recipe asks for noise of norm {recipe.noise:g}, but the images come with {splits.noise:g}: give split_dataset "
            "the same noise"
        )
    device, folder = torch.device(device), Path(folder)
    partial = folder.with_name(f"{folder.name}.partial")
    splits = splits.to(device)
    recipe = recipe.model_copy(update={"precision": precision_on(device, recipe.precision)})
    network = prepare_network(build, recipe, seed, device)
    optimizer = make_optimizer(network, recipe)
    # Of several GPUs another one may be free when the training goes on
    key = json.dumps([metadata, recipe.model_dump(), seed, checkpoints, device.type, code])
    state = _TrainingState(partial / "resume.safetensors", key)
    described = {**metadata, **(origin or {}), "seed": seed, "precision": recipe.precision}
    keeper = _Keeper(partial, described, steps_per_epoch(len(splits.train), recipe))
    images = TrainingBatches(splits, recipe)
    for leftover in partial.glob(".*"):
        leftover.unlink()  # of a write that was killed
    history = state.load(network, optimizer) or _begin(network, optimizer, splits, recipe, state, keeper)
    kept = log_spaced_epochs(recipe.epochs, checkpoints)
    with Progress(folder, history[-1].epoch, recipe.epochs) as progress:
        for epoch in progress:
            loss, error = train_epoch(network, optimizer, images, recipe, seed=seed, epoch=epoch)
            history.append(Epoch(epoch, loss, error, _validation_error(network, splits)))
            progress.show(loss=loss, train_error=error, validation_error=history[-1].validation_error)
            if epoch in kept:
                keeper.keep(network, history[-1])
            if epoch in kept or state.seconds_since_save() > SECONDS_BETWEEN_SAVES:
                state.save(network, optimizer, history)
    state.path.unlink()
    _put_in_place(partial, folder)
    return history


def prepare_network(build: Callable[[], nn.Module], recipe: Recipe, seed: int, device: torch.device | str) -> nn.Module:
    """Return a network as it is before its first step, with what the recipe leaves untrained frozen."""
    network = build_seeded(build, seed).to(device)
    if recipe.channels_last:
        network = network.to(memory_format=torch.channels_last)
    if recipe.trained_part == "read_out":
        freeze_all_but_read_out(network)
    return network


def _put_in_place(partial: Path, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    partial.replace(folder)


@dataclass(frozen=True)
class _Keeper:
    """Writes checkpoints.

    Attributes:
        folder: where to.
        described: what stands beside all of them.
        steps_per_epoch: of the training.
    """

    folder: Path
    described: dict
    steps_per_epoch: int

    def keep(self, network: nn.Module, row: Epoch) -> None:
        errors = {"train_error": row.train_error, "validation_error": row.validation_error}
        metadata = {**self.described, "epoch": row.epoch, "step": row.epoch * self.steps_per_epoch, **errors}
        save_checkpoint(network, self.folder / f"epoch{row.epoch:04d}.safetensors", metadata)


def _begin(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    splits: Splits,
    recipe: Recipe,
    state: "_TrainingState",
    keeper: _Keeper,
) -> list[Epoch]:
    """Start from nothing: the history of a network at init, which is kept."""
    shutil.rmtree(keeper.folder, ignore_errors=True)
    keeper.folder.mkdir(parents=True)
    estimate_batch_norm(network, splits)
    history = [_describe_init(network, splits, recipe)]
    keeper.keep(network, history[0])
    state.save(network, optimizer, history)
    return history


def _describe_init(network: nn.Module, splits: Splits, recipe: Recipe) -> Epoch:
    """The history's row of a network before its first step, its loss and errors measured in evaluation mode."""
    loss, wrong = 0.0, 0
    for logits, labels in evaluated(network, splits, splits.train):
        loss += float(mean_loss(recipe.loss, logits, labels)) * len(labels)
        wrong += int((logits.argmax(1) != labels).sum())
    if not math.isfinite(loss):
        raise InputError(
            f"the loss is {loss} at init, before any step: the network gives outputs that are NaN or infinite, or too large, on "
            "these images; mend the network, or look at dataset.normalisation"
        )
    count = len(splits.train)
    return Epoch(0, loss / count, wrong / count, _validation_error(network, splits))


def _validation_error(network: nn.Module, splits: Splits) -> float | None:
    return error_rate(network, splits, splits.validation) if len(splits.validation) else None


class _TrainingState:
    """What an interrupted training goes on from: weights, optimizer state and history, in one safetensors file.

    Args:
        path: where it lies.
        key: describes the training; a state with another key is left alone.
    """

    def __init__(self, path: Path, key: str):
        self.path = path
        self._key = key
        self._saved = time.monotonic()

    def seconds_since_save(self) -> float:
        return time.monotonic() - self._saved

    def save(self, network: nn.Module, optimizer: torch.optim.Optimizer, history: list[Epoch]) -> None:
        tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
        for index, entries in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{name}": value for name, value in entries.items() if value is not None}
        rows = json.dumps([vars(row) for row in history])
        digest = _digest(tensors, rows)
        save_tensors(tensors, self.path, {"key": self._key, "history": rows, "sha256": digest})
        self._saved = time.monotonic()

    def load(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> list[Epoch] | None:
        """Put network and optimizer back to where they were and return the history.

        Nothing if there is no such state, or if it is not the one that was written: then training begins anew.
        """
        if not self.path.exists():
            return None
        try:
            tensors, metadata = read_tensors(self.path)
            whole = metadata["sha256"] == _digest(tensors, metadata["history"])
        except (OSError, SafetensorError, ValueError, TypeError, KeyError):
            whole = False
        if not whole:
            logger.warning("%s is damaged: the training begins anew", self.path)
            return None
        if metadata.get("key") != self._key:
            return None
        network.load_state_dict(
            {name.removeprefix("network/"): value for name, value in tensors.items() if name.startswith("network/")}
        )
        optimizer.load_state_dict({**optimizer.state_dict(), "state": _optimizer_entries(tensors, optimizer)})
        return [Epoch(**row) for row in json.loads(metadata["history"])]


def _digest(tensors: dict[str, Tensor], history: str) -> str:
    """Hash of all that a training goes on from."""
    digest = hashlib.sha256(history.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)} {tensors[name].dtype}".encode())
        digest.update(tensors[name].detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _optimizer_entries(tensors: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """State of an optimizer by number of the parameter, from the tensors ``optimizer/<number>/<name>``."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    entries: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer/"):
            _, number, entry = name.split("/")
            # Fused optimizers take values in the order in which they lie in memory: it must be that of the weights
            like = parameters[int(number)]
            value = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            entries.setdefault(int(number), {})[entry] = value
    return entries
