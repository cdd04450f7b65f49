"""How far a training is: a bar for who watches it, and words on where it was interrupted and goes on. It decides no number."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

logger = logging.getLogger(__name__)


def share_before(log: str) -> float:
    """Return the share of its epochs that a training had done before its last start, from what that start logged.

    Returns:
        0 to below 1; 0 where it began anew.
    """
    found = re.search(r" goes on after epoch (\d{1,9}) of (\d{1,9})$", log, re.MULTILINE)
    if not found:
        return 0.0
    trained, epochs = map(int, found.groups())
    return trained / epochs if trained < epochs else 0.0


class Progress:
    """The epochs that are left to train, with a bar over them that is quiet where nobody looks.

    Iterate over it inside its own ``with`` block: a ``KeyboardInterrupt`` that leaves the block says at which epoch it came.
    A training that goes on after a break logs that it does.

    Args:
        folder: of the checkpoints, ``.../<network>/<variant>/checkpoints``, by which the bar is named.
        trained: epochs that are trained already.
        epochs: of the whole training.
    """

    def __init__(self, folder: Path, trained: int, epochs: int):
        self._epoch, self._epochs = trained, epochs
        name = "/".join(folder.absolute().parts[-3:-1])
        self._bar = tqdm(initial=trained, total=epochs, unit="epoch", disable=None, desc=name)
        if trained:
            logger.info("%s goes on after epoch %d of %d", name, trained, epochs)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bar.close()
        if kind is KeyboardInterrupt:
            raise KeyboardInterrupt(f"at epoch {self._epoch} of {self._epochs}") from None

    def __iter__(self) -> Iterator[int]:
        for epoch in range(self._epoch + 1, self._epochs + 1):
            self._epoch = epoch
            yield epoch
            self._bar.update()

    def show(self, **numbers: Any) -> None:
        """Write numbers beside the bar."""
        self._bar.set_postfix(numbers)
