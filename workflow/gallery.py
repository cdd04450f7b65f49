"""Puts a run into the gallery, from its RO-Crate (``make crate``): ``python workflow/gallery.py RUN``.

Into ``figures/reference/RUN`` go its figures with 256 colours each, the largest scaled down, its tables but for the long ones,
its resolved configuration and what its claims were made from, down to the data. The ``README.md`` there is written by hand and
stays as it is.
"""

import sys
import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from diffeo_stability.pipeline.provenance import as_tree, trace

LONGEST_TABLE = 300_000  # bytes
LARGEST_FIGURE = 200_000


def smaller(png: bytes) -> bytes:
    """Return a PNG with 256 colours, scaled down if that is still too large, with all that it carries of where it comes from."""
    carried = PngInfo()
    with Image.open(BytesIO(png)) as drawn:
        for key, text in drawn.text.items():
            carried.add_text(key, text)
        image, dpi = drawn.convert("RGB"), drawn.info["dpi"]
    while True:
        reduced = BytesIO()
        image.quantize(256).save(reduced, "png", optimize=True, pnginfo=carried, dpi=dpi)
        if len(reduced.getvalue()) < LARGEST_FIGURE:
            return reduced.getvalue()
        image = image.resize([round(0.8 * side) for side in image.size], Image.Resampling.LANCZOS)


def main(run: str) -> None:
    """Write the gallery of a run, over one that is there."""
    archive = Path("results", run, "rocrate.zip")
    if not archive.exists():
        sys.exit(f"error: {archive} does not exist: make it with `make crate CONFIG=config/<run>.yaml`")
    folder = Path("figures", "reference", run)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.suffix in (".png", ".csv"):
            old.unlink()
    with zipfile.ZipFile(archive) as crate:
        for entry in crate.infolist():
            name = PurePosixPath(entry.filename)
            if name.suffix == ".png":
                (folder / name.name).write_bytes(smaller(crate.read(entry)))
            elif name.name == "config.yaml" or (name.suffix == ".csv" and entry.file_size <= LONGEST_TABLE):
                (folder / name.name).write_bytes(crate.read(entry))
    claims = Path("results", run, "tables", "claims.csv")
    (folder / "provenance.txt").write_text(as_tree(trace(claims)) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("error: name one run: python workflow/gallery.py RUN")
    main(sys.argv[1])
