"""What the images of a data set show only together, said once and not for every image."""

import logging
from pathlib import Path

from ..core.errors import InputError, few, printable
from .decoding import Decoded, frames_in

FIFTEEN_BITS = 2**15
logger = logging.getLogger(__name__)


class Remarks:
    """What is to be said of images, each added in its turn.

    Args:
        path: of the data set.
    """

    def __init__(self, path: Path):
        self._path = path
        self._animated: list[str] = []
        self._whites: dict[int, str] = {}
        self._deepest: tuple[int, str] = (0, "")

    def add(self, name: str, image: Decoded, content: bytes) -> None:
        """Note an image.

        Args:
            name: of its file.
            content: of its file.

        Raises:
            InputError: what is white in it is not what is white in an image before.
        """
        if image.animated:
            self._animated.append(name if self._animated else f"{name} ({frames_in(content)} frames)")
        if image.deepest is not None:
            self._deepest = max(self._deepest, (image.deepest, name))
        if image.white is not None:
            self._whites.setdefault(image.white, name)
        if len(self._whites) > 1:
            between, beyond = (printable(self._whites[white]) for white in (1, 255))
            raise InputError(
                f"{self._path}: the numbers of {between} lie between 0 and 1, those of {beyond} go beyond: which is white? scale "
                "all images alike, or save them with 8 bits"
            )

    def say(self) -> None:
        """Warn of what may not be what was meant, once all images are added."""
        told("only the first frame is read", self._path, self._animated)
        deepest, name = self._deepest
        if 0 < deepest < FIFTEEN_BITS:
            logger.warning(
                "%s: no grey image of 16 bits goes beyond %d of 65535 (%s): they are dark; if that is white, scale their values "
                "to 16 bits",
                *(printable(str(self._path)), deepest, printable(name)),
            )


def told(what: str, path: Path, names: list[str]) -> None:
    """Warn of some files, of which a few are named, if there are any."""
    if names:
        logger.warning("%s: %s: %s", printable(str(path)), printable(what), printable(few(names)))
