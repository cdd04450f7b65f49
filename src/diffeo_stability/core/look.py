"""What a model is measured with: images and their perturbations in batches, and how it normalises them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from numbers import Integral
from typing import NamedTuple, Unpack

import torch
from torch import Tensor, nn

from .checks import check_generator, check_images
from .errors import InputError
from .image_sources import ImageSource, as_images
from .images import Images
from .models import check_parts_known, device_of, dtype_of, initialise_lazy_layers
from .operations import evaluating
from .outputs import Evaluate, Take
from .perturbations import PerturbationSettings, Perturbed, PerturbedImages, check_perturbation, images_per_batch
from .progress import counted, progress_line
from .seeds import generator_for
from .set_statistics import BatchNorm, Forward, normalised_by_set, set_normalised

EvaluateBy = Callable[[nn.Module, Forward, Sequence[Tensor], Take], None]

PILOT_IMAGES = 32


class Look(NamedTuple):
    """The arguments of :func:`measure_distances`."""

    evaluate: Evaluate
    batches: Iterable[Perturbed]
    pilot: Tensor


@contextmanager
def whole_float32() -> Iterator[None]:
    """Have convolutions on GPUs compute float32 in float32 meanwhile.

    Torch lets them round to TensorFloat-32 unless told otherwise: its ten bits of mantissa blur the small differences of outputs
    that are measured, and moved R of an untrained VGG by a hundredth.
    """
    operations = torch.backends.cudnn.conv, torch.backends.cudnn.rnn
    before = [operation.fp32_precision for operation in operations]

    def set_to(*precisions: str) -> None:
        # The older setting, too: torch refuses to tell it where the two say different things
        torch.backends.cudnn.allow_tf32 = "tf32" in precisions
        for operation, precision in zip(operations, precisions, strict=True):
            operation.fp32_precision = precision

    set_to("ieee", "ieee")
    try:
        yield
    finally:
        set_to(*before)


@contextmanager
def looked_at(
    model: nn.Module,
    source: ImageSource,
    evaluate: EvaluateBy,
    generator: torch.Generator | None,
    *,
    batch_size: int = 250,
    batch_norm: BatchNorm = "running",
    progress: bool = False,
    **perturbation,
) -> Iterator[Look]:
    """What a model is measured with, while it is in evaluation mode and normalises as ``batch_norm`` says."""
    settings = {name: value for name, value in perturbation.items() if name != "deformed"}
    check_settings(model, batch_norm, batch_size=batch_size, **settings)
    images = as_images(source, device_of(model), _dtype_of_images(model, source))
    _check_probe(images)
    if generator is None:
        generator = torch.Generator(images.device).manual_seed(int(torch.randint(2**62, ())))
    perturbed = PerturbedImages(images, batch_size=batch_size, generator=generator, **perturbation)
    initialise_lazy_layers(model, images[:PILOT_IMAGES])
    before = generator.clone_state()
    with evaluating(model), torch.no_grad(), whole_float32(), progress_line(progress) as show:

        def sets() -> Iterator[Perturbed]:
            batches = perturbed.batches(batch_size, before.clone_state())
            return counted(batches, len(images), show, "batch-norm statistics:")

        with set_normalised(model, batch_norm, sets, len(images)) as forward:
            forward.prepare(*range(len(Perturbed._fields)))
            batches = perturbed.batches(images_per_batch(batch_size), generator)
            yield Look(
                lambda batch, take: evaluate(model, forward, batch, take),
                counted(batches, len(images), show, "measured"),
                images[:PILOT_IMAGES],
            )


def check_settings(model: nn.Module, batch_norm: BatchNorm, **perturbation: Unpack[PerturbationSettings]) -> None:
    """Raise :class:`InputError` for settings that no images can be measured with, before any are read."""
    if batch_norm == "batch":
        check_parts_known(model, "batch_norm='batch'")
    normalised_by_set(model, batch_norm)
    if device_of(model).type == "meta":
        raise InputError("the model is on the meta device, where weights are no numbers: load them to another one")
    check_perturbation(**perturbation)


def _dtype_of_images(model: nn.Module, source: ImageSource) -> torch.dtype:
    """The type of a model's weights; where it has none, nothing is known of what it takes, and a tensor keeps its own."""
    weights = chain(model.parameters(), model.buffers())
    if isinstance(source, Tensor) and not any(tensor.is_floating_point() for tensor in weights):
        return source.dtype
    return dtype_of(model)


def _check_probe(images: Images) -> None:
    check_images(images)
    if len(images) < 2:
        raise InputError(f"images hold {len(images)}: at least 2 are needed, for the distance between images")


def source_of_randomness(seed: int | None, generator: torch.Generator | None) -> torch.Generator | None:
    """Return what random numbers are drawn from; nothing if neither a seed nor a generator is given.

    Raises:
        InputError: both are given, or one is none.
    """
    check_generator(generator)
    if seed is None:
        return generator
    if generator is not None:
        raise InputError("seed and generator were both given: they set the same thing, give one")
    if not isinstance(seed, Integral) or isinstance(seed, bool):
        raise InputError(f"seed is {seed!r}: it must be a whole number")
    return generator_for("perturbations", int(seed))
