"""How far a training is: a bar for who watches it, and the epoch at which it was interrupted. It decides no number."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm


class Progress:
    """The epochs that are left to train, with a bar over them that is quiet where nobody looks.

    Iterate over it inside its own ``with`` block: a ``KeyboardInterrupt`` that leaves the block says at which epoch it came.

    Args:
        folder: of the checkpoints, ``.../<network>/<variant>/checkpoints``, by which the bar is named.
        trained: epochs that are trained already.
        epochs: of the whole training.
    """

    def __init__(self, folder: Path, trained: int, epochs: int):
        self._epoch, self._epochs = trained, epochs
        name = "/".join(folder.absolute().parts[-3:-1])
        self._bar = tqdm(initial=trained, total=epochs, unit="epoch", disable=None, desc=name)

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
