"""One file from an address on the web: in bounded time and space, checked by its hash."""

import hashlib
import http.client
import time
import urllib.request
from pathlib import Path

from ..core.errors import one_line
from .files import REMEDIES

SILENCE = 30.0  # seconds in which a server has to send something
SLOWEST = 1000  # bytes per second, on average, after the first time of silence
PIECE = 2**16  # bytes that are read at once
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
    hashed, received, begun = hashlib.new(algorithm, usedforsecurity=False), 0, time.monotonic()
    request = urllib.request.Request(address, headers={"User-Agent": "diffeo-stability"})
    with urllib.request.urlopen(request, timeout=silence) as answer, path.open("wb") as file:
        announced = answer.length
        if (announced or 0) > most:
            raise FetchError(f"{address} is another file: it has {announced:,} bytes, and must have at most {most:,}")
        while piece := answer.read1(PIECE):
            received += len(piece)
            if received > most:
                raise FetchError(f"{address} is another file: it must have at most {most:,} bytes, and has more")
            elapsed = time.monotonic() - begun
            if elapsed > silence and received < SLOWEST * elapsed:
                raise FetchError(f"{address} sent only {received:,} bytes in {elapsed:.0f} s")
            hashed.update(piece)
            file.write(piece)
    if announced is not None and received < announced:
        raise FetchError(f"{address} broke off after {received:,} of {announced:,} bytes")
    return hashed.hexdigest()
