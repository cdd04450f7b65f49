"""A GPU that is none: what runs on it computes nothing, but every tensor knows that it lies there.

So mixtures of devices are found where no GPU is. What the code decides by values (a sum that is finite, a number of places) is
recorded in a real run on the CPU, and played back.
"""

from collections import deque
from collections.abc import Callable
from unittest import mock

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

GPU = torch.device("cuda:0")
ATEN = torch.ops.aten
# What they return, or the shape of it, depends on values
DECIDING = {
    ATEN._local_scalar_dense.default,
    ATEN.allclose.default,
    ATEN.bincount.default,
    ATEN.equal.default,
    ATEN.masked_select.default,
    ATEN.nonzero.default,
    ATEN.repeat_interleave.Tensor,
    ATEN.unique_dim.default,
    ATEN._unique2.default,
}


def decides(function: torch._ops.OpOverload, arguments: tuple) -> bool:
    """Whether the result of a call cannot be known without values."""
    masked = function is ATEN.index.Tensor and any(
        index is not None and index.dtype == torch.bool for index in arguments[1]
    )
    return function in DECIDING or masked


class Recording(TorchDispatchMode):
    """Keeps what deciding calls return."""

    def __init__(self):
        super().__init__()
        self.results = deque()

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        result = function(*arguments, **(named or {}))
        if decides(function, arguments):
            self.results.append((function, result))
        return result


class Playing(TorchDispatchMode):
    """Lets deciding calls return what they returned before, and checks that generators lie where they draw."""

    def __init__(self, results: deque):
        super().__init__()
        self.results = results

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        named = named or {}
        generator = named.get("generator")
        if not decides(function, arguments):
            result = function(*arguments, **named)
            if generator is not None:
                assert generator.device.type == result.device.type, (
                    f"{function} draws on {result.device} by a generator elsewhere"
                )
            return result
        recorded, result = self.results.popleft()
        assert recorded is function, f"{function} is called where {recorded} was on the CPU"
        if isinstance(result, torch.Tensor):
            return torch.empty(result.shape, dtype=result.dtype, device=arguments[0].device)
        return result


class RecordingLists(TorchFunctionMode):
    """Keeps the lists that tensors become: no dispatched call, on the CPU."""

    def __init__(self, results: deque):
        super().__init__()
        self.results = results

    def __torch_function__(self, function, types, arguments=(), named=None):
        result = function(*arguments, **(named or {}))
        if function is torch.Tensor.tolist:
            self.results.append(("tolist", result))
        return result


def runs_on_a_gpu(run: Callable[[torch.device], object]) -> object:
    """Run a function on the CPU and then on a GPU that is none, and return what it returned there.

    Raises:
        RuntimeError: tensors of two devices meet.
    """
    recording = Recording()
    results = recording.results
    with recording, RecordingLists(results):
        run(torch.device("cpu"))

    def played(_tensor):
        name, result = results.popleft()
        assert name == "tolist", f"a tensor becomes a list where {name} was called on the CPU"
        return result

    with (
        mock.patch.object(FakeTensor, "tolist", played),
        FakeTensorMode(allow_non_fake_inputs=True),
        Playing(results),
    ):
        result = run(GPU)
    assert not results
    return result
