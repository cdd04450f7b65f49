"""Puts a run into the gallery, from its RO-Crate (``make crate``): ``python workflow/gallery.py RUN``.

Into ``figures/reference/RUN`` go its figures with 256 colours each, the largest scaled down, its tables but for the long ones,
its resolved configuration, what its claims were made from, down to the data, and a ``README.md``: the text of ``about.md``, which
is written by hand and says no number, and below it how the run was made and what its tables show.
"""

import re
import sys
import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath

import yaml
from PIL import Image

from diffeo_stability.core.errors import InputError
from diffeo_stability.figures import FIGURES
from diffeo_stability.figures.words import listed, with_labels
from diffeo_stability.pipeline.carried import seal_png
from diffeo_stability.pipeline.claims import Tables, format_claims
from diffeo_stability.pipeline.config import Run, parse_config
from diffeo_stability.pipeline.costs import costs
from diffeo_stability.pipeline.looks import labels_of
from diffeo_stability.pipeline.provenance import as_tree, trace
from diffeo_stability.pipeline.tables import read_table

CONFIG = "config.yaml"
LONGEST_TABLE = 300_000  # bytes
LARGEST_FIGURE = 200_000


def smaller(png: bytes) -> bytes:
    """Return a PNG with 256 colours, scaled down if that is still too large, with all that it carries of where it comes from."""
    with Image.open(BytesIO(png)) as drawn:
        image, texts, dpi = drawn.convert("RGB"), drawn.text, drawn.info["dpi"]
    while True:
        reduced, of_few_colors = BytesIO(), image.quantize(256, Image.Quantize.FASTOCTREE)  # others move rare colours
        of_few_colors.save(reduced, "png", optimize=True, pnginfo=seal_png(of_few_colors, texts), dpi=dpi)
        if len(reduced.getvalue()) < LARGEST_FIGURE:
            return reduced.getvalue()
        image = image.resize([round(0.8 * side) for side in image.size], Image.Resampling.LANCZOS)
        dpi = tuple(0.8 * dots for dots in dpi)


def how_it_was_made(config: Run, origin: str) -> str:
    """Return a sentence on the commits that a run was made by, and on what it cost where it was made.

    Args:
        origin: what its claims were made from, down to the data.
    """
    found = costs(config)
    jobs, minutes = sum(rule.jobs for rule in found), sum(rule.core_seconds for rule in found) / 60
    commits = list(dict.fromkeys(re.findall(r"commit (\w+(?: \(with changes\))?)", origin)))
    made = f"commit{'s' if len(commits) > 1 else ''} {listed(commits, len(commits))}"
    return f"Made by {made}: {jobs:,} jobs took {minutes:,.0f} minutes of one processor core."


def readme(about: str, made: str, tables: list[Path], stems: list[str], labels: dict[str, str]) -> str:
    """Return what stands beside the figures: the text by hand, how the run was made, the claims, and what every figure shows.

    All of it is Markdown.
    """
    paths = {path.stem: path for path in tables}
    found = Tables(paths)
    shown = {stem: with_labels(FIGURES[stem].describe(found), labels) for stem in stems}
    rows = [f"| [`{stem}`]({stem}.png) | {_as_markdown(text)} |" for stem, text in shown.items() if text]
    claims = format_claims(read_table(paths["claims"]))
    fence = "`" * (1 + max(map(len, re.findall("`+", f"`` {claims}"))))  # longer than any within
    parts = (
        about.strip(),
        made,
        f"{fence}\n{claims}\n{fence}",
        "\n".join(("| figure | what this run shows |", "|---|---|", *rows)),
    )
    return "\n\n".join(parts) + "\n"


def _as_markdown(text: str) -> str:
    """reStructuredText of a finding on one line of a table."""
    formulas = re.sub(r":math:`([^`]*)`", r"$\1$", " ".join(text.split()))
    return re.sub(r"(?<!\\)\|", r"\\|", formulas)


def main(run: str) -> None:
    """Write the gallery of a run, over one that is there."""
    archive = Path("results", run, "rocrate.zip")
    if not archive.exists():
        sys.exit(f"error: {archive} does not exist: make it with `make crate CONFIG=config/<run>.yaml`")
    folder = Path("figures", "reference", run)
    with zipfile.ZipFile(archive) as crate:
        entries = {PurePosixPath(entry.filename): entry for entry in crate.infolist()}
        config = parse_config(yaml.safe_load(crate.read(next(e for name, e in entries.items() if name.name == CONFIG))))
        origin = as_tree(trace(Path("results", run, "tables", "claims.csv")))
        made = how_it_was_made(config, origin)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if old.suffix in (".png", ".csv"):
                old.unlink()
        for name, entry in entries.items():
            if name.suffix == ".png":
                (folder / name.name).write_bytes(smaller(crate.read(entry)))
            elif name.name == CONFIG or (name.suffix == ".csv" and entry.file_size <= LONGEST_TABLE):
                (folder / name.name).write_bytes(crate.read(entry))
    (folder / "provenance.txt").write_text(f"{origin}\n")
    about = folder / "about.md"
    text = about.read_text() if about.exists() else f"# Run {run}"
    stems = [stem for stem in FIGURES if (folder / f"{stem}.png").exists()]
    tables = [Path(name) for name in entries if name.suffix == ".csv"]
    labels = labels_of({name: vars(block) for name, block in config.networks.items()})
    (folder / "README.md").write_text(readme(text, made, tables, stems, labels))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("error: name one run: python workflow/gallery.py RUN")
    try:
        main(sys.argv[1])
    except InputError as error:
        sys.exit(f"error: {error}")
