"""What counts as a model: a module or any other callable, with whatever it returns."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .errors import InputError, few
from .operations import evaluating, original

SHOWN = 8  # tensors among outputs
LOGITS = "logits"  # by which name libraries return them beside other things
Model = nn.Module | Callable[[Tensor], Any]


class CalledFunction(nn.Module):
    """A callable that is no module: nothing is known of its parts."""

    def __init__(self, function: Callable[[Tensor], Any]):
        super().__init__()
        self._function = function

    def forward(self, images: Tensor) -> Any:
        return self._function(images)


def as_module(model: Model) -> nn.Module:
    """Return a model as a module: itself, or one that calls it.

    Raises:
        InputError: it cannot be called, or is a class of models.
    """
    if isinstance(model, nn.Module):
        return model
    if isinstance(model, type) or not callable(model):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"of type {type(model).__name__}"
        raise InputError(f"model is {what}: it must be a torch module, or another callable from images to vectors")
    return CalledFunction(model)


def check_parts_known(model: nn.Module, reason: str) -> None:
    """Raise :class:`InputError` if a model is no module of its own, whose parts something has to look at.

    Args:
        model: as :func:`as_module` returned it.
        reason: what looks at them, for the error.
    """
    if isinstance(model, CalledFunction):
        raise InputError(
            f"{reason} looks at the parts of a torch module, and the model is another callable: give the module"
        )


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model's first weights; the CPU if it has none."""
    return next((tensor.device for tensor in _tensors(model)), torch.device("cpu"))


def dtype_of(model: nn.Module) -> torch.dtype:
    """Return the floating-point type of a model's first weights; torch's default one if it has none."""
    return next((tensor.dtype for tensor in _tensors(model) if tensor.is_floating_point()), torch.get_default_dtype())


def initialise_lazy_layers(model: nn.Module, images: Tensor) -> None:
    """Give layers that wait for their sizes (``LazyLinear``) weights, by one pass over images, in evaluation mode.

    Their weights are drawn from torch's default generator. A model without such layers is left alone.

    Args:
        images: ``(B, C, n, n)``, on the model's device.
    """
    if any(map(is_lazy, _tensors(model))):
        with evaluating(model), torch.no_grad():
            original(model)(images.clone())


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    return chain(model.parameters(), model.buffers())


def logits_of(output: Any) -> Any:
    """Return the logits among what a model returned: a tensor itself, what is called ``logits``, or else the only tensor.

    Args:
        output: a tensor; or a tuple, list, mapping or dataclass with tensors in it, also within each other.

    Returns:
        A tensor; what is neither this nor any of those, as it is.

    Raises:
        InputError: it holds no tensor, or several, none of which is called ``logits``.
    """
    parts = _parts(output)
    named = getattr(output, LOGITS, None) if parts is None else parts.get(LOGITS)
    if isinstance(named, Tensor):
        return named
    if parts is None:
        return output
    found = dict(_tensors_in(output))
    if len(found) == 1:
        return next(iter(found.values()))
    held = few([f"{name} {tuple(tensor.shape)}" for name, tensor in found.items()], SHOWN) or "no tensor"
    raise InputError(
        f"the model returned {type(output).__name__} with {held}: which is meant? Give a function that returns one tensor, "
        "e.g. lambda images: model(images)[...]"
    )


def returning_logits(model: nn.Module) -> nn.Module:
    """Let a model return its logits alone, see :func:`logits_of`, and return it. Its weights keep their names."""
    model.register_forward_hook(lambda _module, _inputs, output: logits_of(output))
    return model


def _parts(output: Any) -> Mapping[str, Any] | None:
    """What a container of outputs holds, by name; nothing if it is none."""
    if isinstance(output, Mapping):
        return output
    if isinstance(output, Sequence) and not isinstance(output, str | bytes):
        return dict(zip(getattr(output, "_fields", map(str, range(len(output)))), output, strict=True))
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    return None


def _tensors_in(output: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(output, Tensor):
        yield name, output
    for key, part in (_parts(output) or {}).items():
        yield from _tensors_in(part, f"{name}.{key}" if name else str(key))
