"""Networks of the user's own, ``package.module:function``: their names, and what goes wrong while their code builds them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..core.errors import InputError, lacks_memory, one_line, where
from .catalogue import LIBRARIES

NAME = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"


def is_own(network: str) -> bool:
    """Whether a network's name says where a function of the user's own is."""
    library, colon, _ = network.partition(":")
    return colon != "" and library not in LIBRARIES


def mistake_in(network: str) -> str | None:
    """Return what is wrong with the name of a network of the user's own; nothing if it is well formed.

    That there is such a module is not looked at.
    """
    module, _, function = network.partition(":")
    if module.endswith(".py"):
        return f"network {network} names a file: leave out .py, as in {module.removesuffix('.py')}:{function}"
    if not re.fullmatch(NAME, network):
        return f"network {network} is no name of a function: allowed is <package.module>:<function>"
    return None


@contextmanager
def building_own(network: str) -> Iterator[None]:
    """Let what is raised while a network of the user's own is built be one line; of other networks it is left alone.

    What says that there is not enough memory is raised as it is.

    Raises:
        InputError: its name is malformed, or its code fails.
    """
    mistake = mistake_in(network) if is_own(network) else None
    if mistake:
        raise InputError(mistake)
    try:
        yield
    except Exception as error:
        if isinstance(error, InputError) or not is_own(network) or lacks_memory(error):
            raise
        why = f"{type(error).__name__}{where(error)}: {one_line(error)}"
        raise InputError(f"network {network} cannot be built ({why}): mend its code") from error
