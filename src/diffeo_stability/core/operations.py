"""The named operations of a network, and their activations, all in one pass."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from .errors import InputError, one_line

# These pass on what they get once a network is evaluated (an empty Sequential always does): their output is their input
TRANSPARENT = (nn.Identity, nn.Flatten, nn.Dropout, nn.Dropout2d, nn.Sequential)

SCRIPTED = (
    "the model, or a part of it, is compiled by TorchScript, which hides them: give it as it was before torch.jit"
)


def named_operations(network: nn.Module) -> dict[str, nn.Module]:
    """Return the operations of a network by name, in order of registration.

    An operation is a module without children that changes its input in evaluation mode: a convolution, a batch-norm, a
    ReLU, a pooling, a linear map. A convolution that pads its input by a module of its own is one operation. The networks of this
    package register them in order of execution.
    """
    operations: dict[str, nn.Module] = {}
    for name, module in network.named_modules():
        within = any(name.startswith(f"{operation}.") for operation in operations)
        # Not any(...): a module with a length of zero, or with none that it can tell, is one, too
        whole = next(module.children(), None) is None or isinstance(module, nn.Conv2d | nn.Linear)
        if name and whole and not within and not isinstance(module, TRANSPARENT):
            operations[name] = module
    return operations


def registered_name(name: str) -> str:
    """Return the name of the module whose output :func:`observing` names so: without the ``#2`` of a second call."""
    return name.partition("#")[0]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """Put a network into evaluation mode, and afterwards every module back as it was.

    Raises:
        InputError: it has no such mode.
    """
    # What TorchScript has frozen is in evaluation mode for ever
    modes = {module: module.training for module in network.modules() if hasattr(module, "training")}
    try:
        if modes:
            network.eval()
    except NotImplementedError as error:  # of what torch.export has made
        raise InputError(
            f"the model cannot be put into evaluation mode ({one_line(error)}): give it as it was before it was exported"
        ) from None
    try:
        yield network
    finally:
        for module, training in modes.items():
            module.training = training


def is_compiled(network: nn.Module) -> bool:
    """Whether a module or a part of it is compiled: compiled code that has run before ignores hooks that are put on later."""
    modules = list(network.modules())
    return any(hasattr(module, "_orig_mod") or module._compiled_call_impl is not None for module in modules)


def is_scripted(network: nn.Module) -> bool:
    """Whether a module or a part of it is compiled by TorchScript, of which no operation can be looked at or changed."""
    return any(isinstance(module, torch.jit.ScriptModule) for module in network.modules())


def original(network: nn.Module) -> nn.Module:
    """Return what a compiled network was made of, whose operations have the names that its author gave them."""
    return getattr(network, "_orig_mod", network)


def uncompiled(network: nn.Module) -> AbstractContextManager:
    """Run what is compiled as it was before, so that hooks see every pass."""
    if not is_compiled(network):
        return nullcontext()
    return torch.compiler.set_stance("force_eager")


@contextmanager
def observing(network: nn.Module, observe: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Call ``observe(name, output)`` after each operation of every forward pass, while its output is still untouched.

    The tensor may be overwritten by the next operation (an in-place ReLU, say): keep a copy, not the tensor. Where a network
    calls one module several times in a pass, the second output is named ``<name>#2``, and so on.
    """
    calls: Counter[str] = Counter()

    def count_and_observe(name: str, output: Tensor) -> None:
        calls[name] += 1
        observe(name if calls[name] == 1 else f"{name}#{calls[name]}", output)

    handles = [network.register_forward_pre_hook(lambda _network, _inputs: calls.clear())]
    handles += [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: count_and_observe(name, output))
        for name, module in named_operations(network).items()
    ]
    try:
        with uncompiled(network):
            yield
    finally:
        for handle in handles:
            handle.remove()


class Add(nn.Module):
    """The sum that closes a residual block; an operation of its own, so that its output can be looked at."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left + right


def kind_of(operation: nn.Module) -> str:
    """Return what an operation does in a word: ``conv``, ``batchnorm``, ``relu``, ``pool``, ``linear``, ..."""
    kinds = {
        nn.Conv2d: "conv",
        nn.Linear: "linear",
        nn.BatchNorm2d: "batchnorm",
        nn.MaxPool2d: "pool",
        nn.AdaptiveAvgPool2d: "average",
        nn.ZeroPad2d: "pad",
        Add: "add",
    }
    # Libraries derive classes of their own from torch's, e.g. convolutions that pad by the image's size
    return next((kind for base, kind in kinds.items() if isinstance(operation, base)), type(operation).__name__.lower())
