"""What hostile files hold."""

import io
import lzma
import resource
import signal
import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waiting import HANGS

# Ends a script or a text, runs another in any page that does not escape it, and means something to Snakemake and to Jinja
SCRIPT = "{place}{{run}}{{{{x}}}}</script><img src=x onerror=document.title=1>"
MEMORY = 2 * 2**30  # bytes that reading a hostile file may take at most


@contextmanager
def within_bounds(memory: int = MEMORY) -> Iterator[None]:
    """Let a block fail that asks for more memory than it may, or never ends.

    Args:
        memory: bytes of address space beyond what the process has.
    """

    def hangs(*_) -> None:
        raise TimeoutError("it hangs")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, hangs)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory, before[1]))
    signal.alarm(HANGS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _laughs(first, again):
    """Each line stands for nine times what the one before it does."""
    return "\n".join(
        [
            f"a: &a {first}",
            *(f"{n}: &{n} {again.format(*9 * [m])}" for m, n in zip("abcdefgh", "bcdefghi", strict=True)),
        ]
    )


YAML_BOMBS = {
    "lists": _laughs("[lol]", "[" + ", ".join(9 * ["*{}"]) + "]"),
    "blocks": _laughs("{x: 1}", "{{" + ", ".join(f"k{k}: *{{}}" for k in range(9)) + "}}"),
    "merged blocks": _laughs("{x: 1}", "{{<<: [" + ", ".join(9 * ["*{}"]) + "]}}"),
    "a list within itself": "seeds: &a [*a]",
    "brackets": "seeds: " + 1000 * "[",
    "a date that is none": "run: 2001-13-45",
    "a number without end": "seeds: [" + 10_000 * "9" + "]",
    "much of one value": "run: " + 17 * 2**20 * "x",
}


class RunsWhenUnpickled:
    """Leaves a file, its trace, where it is unpickled."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_zeros(width: int, height: int, *chunks: bytes) -> bytes:
    """A black image of one bit a pixel, packed without ever holding it, with further chunks."""
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + (width + 7) // 8)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = (png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", rows), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def zipped_text(kind: bytes, size: int) -> bytes:
    """A chunk of a PNG with a text of so many letters, ``zTXt`` or ``iTXt``, packed without ever holding it."""
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(b" " * 2**20) for _ in range(size // 2**20)) + packer.flush()
    return png_chunk(kind, b"Description\0" + {b"zTXt": b"\0", b"iTXt": b"\1\0\0\0"}[kind] + packed)


def member(name: str, **attributes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    for attribute, value in attributes.items():
        setattr(entry, attribute, value)
    return entry


def tar_with(path: Path, *blocks: tuple[tarfile.TarInfo, int], times: int = 1) -> None:
    """A tar archive, packed by xz without ever holding it, of members of so many zeros, one after the other, several times."""
    packer = lzma.LZMACompressor(preset=0)
    with path.open("wb") as file:
        for _ in range(times):
            for entry, size in blocks:
                file.write(packer.compress(entry.tobuf(tarfile.GNU_FORMAT)))
                for start in range(0, size, 2**20):
                    file.write(packer.compress(bytes(min(2**20, size - start))))
        file.write(packer.compress(bytes(1024)) + packer.flush())


def notes(count: int) -> bytes:
    """A global header of a tar archive with so many notes, which apply to all members that follow."""
    records = "".join(f"{len(record) + 3} {record}" for record in (f"{number:08}=x\n" for number in range(count)))
    stream = io.BytesIO()
    stream.write(member("notes", type=tarfile.XGLTYPE, size=len(records)).tobuf(tarfile.USTAR_FORMAT))
    stream.write(records.encode() + bytes(-len(records) % tarfile.BLOCKSIZE))
    return stream.getvalue()
