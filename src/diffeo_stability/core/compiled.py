"""Parts of a model that ``torch.compile`` wraps, and what they were made of."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from .models import returning_logits
from .operations import original


def compiled_parts(model: nn.Module) -> list[tuple[nn.Module, str, nn.Module]]:
    """Return the compiled parts of a model, each after the module that it is a part of and its name there."""
    parts = [(whole, name, part) for whole in model.modules() for name, part in whole.named_children()]
    return [(whole, name, part) for whole, name, part in parts if original(part) is not part]


def uncompiled(model: nn.Module) -> nn.Module:
    """Return what a model was made of that is compiled, or whose parts are, which it then has no longer; others as they are."""
    for whole, name, part in compiled_parts(model):
        setattr(whole, name, original(part))
    return model if original(model) is model else returning_logits(original(model))


@contextmanager
def parts_uncompiled(model: nn.Module) -> Iterator[None]:
    """Let a model have in place of its compiled parts what they were made of, by the names that its author gave that."""
    parts = compiled_parts(model)
    try:
        for whole, name, part in parts:
            setattr(whole, name, original(part))
        yield
    finally:
        for whole, name, part in parts:
            setattr(whole, name, part)
