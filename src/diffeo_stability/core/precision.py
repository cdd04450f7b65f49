"""What is computed exactly whatever the caller's context."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def without_autocast(
    function: Callable[Concatenate[Tensor, Arguments], Result],
) -> Callable[Concatenate[Tensor, Arguments], Result]:
    """Compute a function of a tensor in the tensor's own precision, also under ``torch.autocast``: that is meant for models."""

    @wraps(function)
    def exactly(tensor: Tensor, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with torch.autocast(tensor.device.type, enabled=False):
            return function(tensor, *args, **kwargs)

    return exactly
