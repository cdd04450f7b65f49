"""One file from an address on the web: in bounded time and space, checked by its hash."""

import hashlib
import http.client
import io
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import one_line
from .files import REMEDIES

SILENCE = 30.0  # seconds in which a server has to send something
SLOWEST = 1000  # bytes per second, on average, after the first time of silence
PIECE = 2**16  # bytes that are read at once
MOST_AROUND = 2**18  # bytes that a server may send besides the file and as many bytes as that has
SCHEMES = ("http://", "https://")


class FetchError(Exception):
    """Why a file could not be had from an address, in one line."""


def fetch(
    address: str, path: str | Path, *, digest: str, algorithm: str, most: int, silence: float | None = None
) -> None:
    """Write the file at an address to a path, from its beginning.

    Args:
        address: begins with ``http://`` or ``https://``.
        path: is overwritten. What is written if this fails is for the caller to remove.
        digest: hexadecimal hash of the file, or the beginning of it.
        algorithm: of the hash, ``md5`` or ``sha256``.
        most: bytes; a server that sends more is not listened to.
        silence: seconds without a byte after which it is given up; ``SILENCE`` if not given.

    Raises:
        FetchError: the file cannot be had, or is another one.
        OSError: it cannot be written, for a reason that the user can mend.
    """
    if not address.lower().startswith(SCHEMES):
        raise FetchError(f"{address} is no address that begins with {' or '.join(SCHEMES)}")
    silence = SILENCE if silence is None else silence
    try:
        found = _write(address, Path(path), algorithm, most, silence)
    except TimeoutError:
        raise FetchError(f"{address} sent nothing for {silence:g} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if getattr(error, "errno", None) in REMEDIES:
            raise
        late = isinstance(getattr(error, "reason", None), TimeoutError)
        why = f"nothing was sent for {silence:g} s" if late else one_line(error) or type(error).__name__
        raise FetchError(f"{address}: {why}") from None
    if not found.startswith(digest):
        raise FetchError(f"{address} is damaged or another file: its {algorithm.upper()} is {found}, not {digest}")


def _write(address: str, path: Path, algorithm: str, most: int, silence: float) -> str:
    """Write what is sent to a path, and return its hash."""
    hashed, sent = hashlib.new(algorithm, usedforsecurity=False), _Sent(address, silence)
    request = urllib.request.Request(address, headers={"User-Agent": "diffeo-stability"})
    with _opener(sent).open(request, timeout=silence) as answer, path.open("wb") as file:
        announced = answer.length
        if (announced or 0) > most:
            raise FetchError(f"{address} is another file: it has {announced:,} bytes, and must have at most {most:,}")
        while piece := answer.read1(PIECE):
            sent.of_the_file += len(piece)
            if sent.of_the_file > most:
                raise FetchError(f"{address} is another file: it must have at most {most:,} bytes, and has more")
            hashed.update(piece)
            file.write(piece)
    if announced is not None and sent.of_the_file < announced:
        raise FetchError(f"{address} broke off after {sent.of_the_file:,} of {announced:,} bytes")
    return hashed.hexdigest()


class _Sent:
    """Counts what servers send on the way to a file, so that neither it nor what stands around it goes on for ever.

    Attributes:
        of_the_file: bytes of the file so far.
    """

    def __init__(self, address: str, silence: float):
        self.of_the_file = 0
        self._address = address
        self._silence = silence
        self._bytes = 0
        self._begun = time.monotonic()

    def add(self, count: int) -> None:
        """Count bytes of any kind: of a file, of what is said before it, between its parts, or after it.

        Raises:
            FetchError: there are too few in the time that has passed, or too many that are not of the file.
        """
        self._bytes += count
        elapsed = time.monotonic() - self._begun
        if elapsed > self._silence and self._bytes < SLOWEST * elapsed:
            raise FetchError(f"{self._address} sent only {self._bytes:,} bytes in {elapsed:.0f} s")
        if self._bytes > 2 * self.of_the_file + MOST_AROUND:
            raise FetchError(
                f"{self._address} sends something else without an end: of {self._bytes:,} bytes {self.of_the_file:,} are a file's"
            )


class _Counted(io.RawIOBase):
    """What comes from a server, each byte counted as it comes."""

    def __init__(self, received: io.RawIOBase, sent: _Sent):
        super().__init__()
        self._received = received
        self._sent = sent

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._received.readinto(buffer)
        self._sent.add(count or 0)
        return count

    def close(self) -> None:
        self._received.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer whose lines are counted too, of which the library reads any number in any time."""

    def __init__(self, sent: _Sent, *args: Any, **named: Any):
        super().__init__(*args, **named)
        self.fp = io.BufferedReader(_Counted(self.fp.detach(), sent), PIECE)


def _opener(sent: _Sent) -> urllib.request.OpenerDirector:
    """Return what opens addresses of ``SCHEMES`` and no other ones, wherever they lead."""

    def answering(connect: Callable, *args: Any, **named: Any) -> http.client.HTTPConnection:
        connection = connect(*args, **named)
        connection.response_class = partial(_Answer, sent)
        return connection

    class Counting:
        def do_open(self, connect: Callable, request: urllib.request.Request, **named: Any) -> http.client.HTTPResponse:
            return super().do_open(partial(answering, connect), request, **named)

    class Http(Counting, urllib.request.HTTPHandler): ...

    class Https(Counting, urllib.request.HTTPSHandler): ...

    opener = urllib.request.OpenerDirector()
    for handler in (
        *(Http, Https, urllib.request.ProxyHandler, urllib.request.UnknownHandler),
        *(
            urllib.request.HTTPRedirectHandler,
            urllib.request.HTTPDefaultErrorHandler,
            urllib.request.HTTPErrorProcessor,
        ),
    ):
        opener.add_handler(handler())
    return opener
