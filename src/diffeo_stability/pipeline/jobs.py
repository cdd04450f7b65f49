"""What every job of the pipeline does around its one library call: logging, one-line errors, records, threads, device."""

import contextlib
import ctypes
import gc
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import INTERRUPTED, InputError, lacks_memory, one_line, where
from ..core.seeds import derive_seed
from ..data.contents import content_hash, memory_beside
from ..data.files import as_input_error, remove_leftovers
from ..figures import FIGURES
from ..figures.settings import Neurons
from ..networks.own import building_own, is_own
from .fingerprint import unseen_by
from .gpus import take_gpu
from .records import checked_hashes_of, code_state, files_in, record_of, software_versions, write_records

if TYPE_CHECKING:
    import torch

    from ..data.datasets import Dataset

MORE_MEMORY = (
    "lower probe.batch_size or training.batch_size, run fewer jobs at once (--cores 1), or raise its limit (ulimit -v)"
)
KEPT_MEMORY = {-3: 2**25, -1: 2**29}  # bytes: M_MMAP_THRESHOLD at its largest, M_TRIM_THRESHOLD
FEW = 8  # images

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def running(job: Any) -> Iterator[None]:
    """Run a job that is recorded and ends in one line if it fails; what the library logs goes to its log and the terminal.

    Any error but one of the user's is a bug: its traceback goes to the log and to the terminal.

    Args:
        job: Snakemake's own object.
    """
    with exit_on_error():
        log = Path(job.log[0])
        log.parent.mkdir(parents=True, exist_ok=True)
        handlers = logging.FileHandler(log, mode="w"), logging.StreamHandler()
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=handlers, force=True)
        logging.captureWarnings(True)
        with exit_on_error(), recorded(job):
            yield
    leave_garbage()


def leave_garbage() -> None:
    """Have Python end without looking for garbage once more, which takes half a second where torch is imported.

    Where Triton is imported too, as torch's optimizers do, it has to look: what it finds late, Triton lists as leaks of its own.
    """
    if "triton" not in sys.modules:
        gc.freeze()


@contextlib.contextmanager
def exit_on_error() -> Iterator[None]:
    """End the process if the block fails, in one line if the user can mend the reason, or is interrupted.

    The status is 1, or the shells' own for an interruption.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        logger.error("%s; run again to go on", f"interrupted {interrupt}".rstrip())
        sys.exit(INTERRUPTED)
    except Exception as error:
        if lacks_memory(error):
            error = InputError(f"there was not enough memory ({one_line(error) or 'MemoryError'}): {MORE_MEMORY}")
        elif isinstance(error, OSError):
            error = as_input_error(error, "a file")
        if isinstance(error, InputError):
            logger.error("error: %s", error)
        else:
            logger.critical("unexpected error", exc_info=error)
        sys.exit(1)


@contextlib.contextmanager
def recorded(job: Any) -> Iterator[None]:
    """Check what a job reads against its records before it runs, and write beside all that it has made from what it was made.

    Args:
        job: Snakemake's own object; its params hold as ``contents`` the hashes of what it reads of the user's own.

    Raises:
        InputError: a file that it reads is not what its job wrote, or something of the user's own changed in the meantime.
    """
    code_state()  # of what runs now: a commit that is made meanwhile did not make this
    params = dict(job.params.items())
    contents = params.pop("contents", {})
    inputs = checked_hashes_of(files_in(job.input))
    for path in job.output:
        remove_leftovers(path)
        record_of(path).unlink(missing_ok=True)  # it is of what was there before
    with not_left_midway():
        yield
    for source, before in contents.items():
        if content_hash(source, memory_beside(job.output[0])) != before:
            raise InputError(f"{source} changed while it was read: run again")
    write_records(job.output, rule=job.rule, inputs=inputs, contents=contents, params=params, config=job.config)


@contextlib.contextmanager
def not_left_midway() -> Iterator[None]:
    """Take it for an error if code of the user's own ends the process, which would leave nothing and say nothing.

    Raises:
        InputError: it does, by ``sys.exit``; what ``os._exit`` ends can say nothing more.
    """
    try:
        yield
    except SystemExit as leaving:
        raise InputError(
            f"code that this job runs, of a network say, ends the process (sys.exit({leaving.code!r})): leave that out"
        ) from None


def describe_training(job: Any, dataset: "Dataset") -> dict:
    """Return the metadata that all checkpoints of a training share.

    Args:
        job: Snakemake's own object, of the job that makes them; ``params.training`` is what decides the training.
        dataset: the images, read from ``input.dataset``.

    Raises:
        InputError: the run asks for more or larger images of the user's own than there are, or for figures that cannot measure
            the network.
    """
    _check_images(job, dataset)
    training = job.params.training
    _check_counts(job, dataset, training["split"]["label_count"])
    sizes = {
        "in_channels": dataset.channels,
        "image_size": dataset.image_size,
        "classes": training["split"]["label_count"] or len(dataset.classes),
    }
    network = training["network"] | sizes
    _check_figures(job, network, dataset)
    return {
        "run": job.wildcards.run,
        "net": job.wildcards.net,
        "variant": job.wildcards.variant,
        "dataset": {"path": job.input.dataset, "sha256": dataset.sha256},
        "network": network,
        "trained_part": training["recipe"]["trained_part"],
        "split": training["split"],
    }


def _check_images(job: Any, dataset: "Dataset") -> None:
    """Look at images of the user's own once more: when the run was planned, those of a compressed archive were not counted, and
    their size need not have been known."""
    if job.config["dataset"].get("path") is None:
        return
    from ..data.settings import Counts
    from .config import parse_config

    config = parse_config(job.config)
    if Path(job.input.dataset).parent.name == config.dataset.folder:
        config.check_counts(Counts(len(dataset.train_images), len(dataset.test_images), len(dataset.classes)))
        try:
            config.check_image_size(dataset.image_size)
        except ValueError as error:
            raise InputError(str(error)) from None


def _check_counts(job: Any, dataset: "Dataset", label_count: int | None) -> None:
    """A network that tells fewer classes apart is measured on images of these alone."""
    if label_count is None:
        return
    from .config import parse_config

    config, left = parse_config(job.config), int((dataset.test_labels < label_count).sum())
    neurons = {
        stem: block
        for stem, block in config.figures.items()
        if isinstance(block, Neurons)
        and job.wildcards.net in block.networks
        and block.dataset_of(config).folder == Path(job.input.dataset).parent.name
    }
    for key, block in {"probe": config.probe, **neurons}.items():
        if block.images > left:
            raise InputError(
                f"{key}.images: {block.images} is more than the {left:,} test images of the first {label_count} classes"
            )


def _check_figures(job: Any, network: Mapping[str, Any], dataset: "Dataset") -> None:
    """Build a network once, and find out before its training whether the figures that are asked for can measure it."""
    from .config import parse_config

    name, config = job.wildcards.net, parse_config(job.config)
    folder = Path(job.input.dataset).parent.name
    figures = [
        FIGURES[stem]
        for stem, block in config.figures.items()
        if name in getattr(block, "networks", ()) and block.dataset_of(config).folder == folder
    ]
    if not figures or config.networks[name].init == "none":
        return
    import torch

    from ..core.compiled import uncompiled
    from ..networks.build import build_network

    with torch.random.fork_rng(devices=[]), _imports_seen(network["name"]):
        with building_own(network["name"]):
            built = uncompiled(build_network(**network))
        try:
            for figure in figures:
                figure.check_network(built, name, dataset)
        except InputError:
            raise
        except Exception:  # what is wrong with the network itself is said where it is trained
            logger.debug("%s cannot be looked at", name, exc_info=True)


def check_own_network(network: Mapping[str, Any]) -> None:
    """Build a network of the user's own once, and see what it makes of a few images and whether planning sees all its files.

    One that draws random numbers in evaluation is named by a warning.

    Args:
        network: what :func:`diffeo_stability.networks.build.build_network` takes.

    Raises:
        InputError: it fails on images of the data set's size, gives other outputs than one number for each class, or imports a
            file that cannot be found by reading its sources.
    """
    if not is_own(network["name"]):
        return
    import torch

    from ..networks.build import build_network

    with torch.random.fork_rng(devices=[]), _imports_seen(network["name"]):
        images = torch.randn(FEW, network["in_channels"], network["image_size"], network["image_size"])
        with building_own(network["name"]):
            built = build_network(**network)
        _check_outputs(built, images, network["name"], network["classes"])


@contextlib.contextmanager
def _imports_seen(network: str) -> Iterator[None]:
    """Refuse a network whose code imports a file of the user's own that cannot be found by reading its sources."""
    before = set(sys.modules)
    yield
    imported = [getattr(sys.modules[name], "__file__", None) for name in set(sys.modules) - before]
    unseen = unseen_by(network.partition(":")[0], [Path(file) for file in imported if file is not None])
    if unseen:
        raise InputError(
            f"network {network} imports {unseen[0]} in a way that its sources do not show, so that nothing would be made anew "
            f"when that changes: write 'import {unseen[0].stem}' into one of them"
        )


def _check_outputs(model: "torch.nn.Module", images: "torch.Tensor", name: str, classes: int) -> None:
    """Say what of a network's outputs cannot be used, or changes from pass to pass as random numbers do."""
    import torch

    from ..core.operations import evaluating
    from ..core.outputs import OUTPUT, warn_of_other_outputs

    shape = tuple(images.shape)
    with torch.no_grad(), evaluating(model):
        try:
            outputs, fewer = model(images.clone()), model(images[:-1].clone())
        except InputError as error:
            raise InputError(f"network {name}: {error}") from None
        except Exception as error:  # every network complains in its own way
            if lacks_memory(error):
                raise
            why = f"{type(error).__name__}{where(error)}: {one_line(error)}"
            raise InputError(
                f"network {name} fails on images {shape} ({why}): let it take the in_channels and image_size that it is given"
            ) from error
    if outputs.ndim != 2 or outputs.shape[1] < classes:
        raise InputError(
            f"network {name} returns {tuple(outputs.shape)} for images {shape}: let it return ({len(images)}, {classes}), a "
            "number for each class"
        )
    warn_of_other_outputs({OUTPUT: (outputs, fewer)})


def origin() -> dict:
    """Return by which commit and versions a file is made."""
    return {**code_state(), "versions": software_versions()}


def set_up_torch(device: str, threads: int) -> "torch.device":
    """Give torch as many threads as the job has, have it compute exactly and reproducibly, and return the device to use.

    Its default generator is seeded, for networks that draw random numbers in evaluation.

    Args:
        device: see :func:`device_for`.

    Raises:
        InputError: the device is not there.
    """
    import torch

    keep_freed_memory()
    torch.set_num_threads(threads)
    torch.manual_seed(derive_seed("job"))
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    # The same GPU has another index in a process that sees fewer of them, but never another identifier
    chosen = torch.device(device_for(device, [str(torch.cuda.get_device_properties(k).uuid) for k in range(count)]))
    if chosen.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # ten bits of mantissa would blur small differences of outputs
        torch.backends.cudnn.deterministic = True
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = (
            False  # a kernel for each tensor that is about to be written anyway
        )
    return chosen


def keep_freed_memory() -> None:
    """Have the process keep memory that tensors leave for those that come next, where the C library can be told to (glibc).

    It would return memory of tensors that come and go in every step: to get it back takes a tenth of a deep net's training.
    """
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None:
        for option, size in KEPT_MEMORY.items():
            tell(option, size)


def device_for(device: str, gpus: Sequence[str], locks: Path | None = None) -> str:
    """Return the device that a job uses.

    Args:
        device: ``auto`` for a GPU where there is one; ``cpu``; ``cuda``; or ``cuda:<index>``.
        gpus: identifiers of the GPUs that torch finds. Of several, ``auto`` and ``cuda`` take one that no other job holds.
        locks: folder of the locks by which jobs hold GPUs; one of the user's own if not given.

    Raises:
        InputError: the device is not there.
    """
    if device == "cpu" or (device == "auto" and not gpus):
        return "cpu"
    index = int(device.partition(":")[2] or 0)
    if index >= len(gpus):
        raise InputError(f"device is {device}, but torch finds {len(gpus)} GPUs here: set device to cpu or auto")
    return f"cuda:{take_gpu(gpus, locks) if ':' not in device and len(gpus) > 1 else index}"
