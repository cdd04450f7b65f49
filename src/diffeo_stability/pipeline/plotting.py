"""The look of every figure: sizes, fonts, one colour per family of networks, and files that carry where they come from."""

import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import LogFormatterMathtext, LogLocator, NullFormatter
from matplotlib.transforms import Bbox
from tueplots import axes as axes_style
from tueplots import fontsizes
from tueplots.constants.color import palettes

from ..data.files import atomic_path
from ..networks.catalogue import family_of
from ..networks.catalogue import label_of as label_of
from .interactive import Job
from .records import code_state, config_hash, hashes_of

COLUMN = 3.25  # inches, a column of a two-column page
PAGE = 6.75  # inches, both columns
SYMBOLS = {"R": "$R_f$", "D": "$D_f$", "G": "$G_f$"}
MEANINGS = {"R": "relative stability $R_f$", "D": "deformation stability $D_f$", "G": "noise stability $G_f$"}
LAYOUT_GRID = 2**-17  # of a figure's width or height
FOOTER = 0.12  # inches
MARKERS = ("o", "s", "^", "D", "v", "P")

# Paul Tol's "muted" scheme tells every pair apart with any of the common kinds of colour vision
COLOR_NAMES = ("rose", "indigo", "sand", "green", "cyan", "wine", "teal", "olive", "purple")
COLORS = {name: f"#{color}" for name, color in zip(COLOR_NAMES, palettes.paultol_muted, strict=False)}
OTHER = "other"
PERTURBATIONS = {"deformation": COLORS["green"], "noise": COLORS["rose"], "datapoint": COLORS["indigo"]}
KINDS = {
    "input": "0.6",
    "pad": "0.6",
    "conv": COLORS["indigo"],
    "batchnorm": COLORS["sand"],
    "relu": COLORS["rose"],
    "pool": COLORS["teal"],
    "average": COLORS["olive"],
    "linear": "0.1",
}
PARTS = {
    "translation": ("translation", COLORS["rose"]),
    "rotation": ("rotation", COLORS["green"]),
    "compression": ("compression", COLORS["sand"]),
    "pure_shear": ("pure shear", COLORS["indigo"]),
    "remainder": ("remainder", "0.6"),
}
STATES = {"init": {"linestyle": "--", "alpha": 0.6}, "trained": {"linestyle": "-", "alpha": 1.0}}


def family_label(architecture: str) -> str:
    """Return what the family of an architecture is called."""
    family = family_of(architecture)
    return family.label if family else OTHER


def color_of(architecture: str) -> str:
    """Return the colour of an architecture's family, the same in every figure."""
    family = family_of(architecture)
    return COLORS[family.color] if family else "0.1"


def color_of_kind(kind: str) -> str:
    """Return the colour of a kind of operation, the same in every figure."""
    return KINDS.get(kind, COLORS["purple"])


def markers_by_color(colors: Mapping[str, str]) -> dict[str, str]:
    """Return a marker for each network that tells it from the others of its colour, as long as there are enough.

    Args:
        colors: by network.
    """
    seen: Counter[str] = Counter()
    markers = {}
    for network, color in colors.items():
        markers[network] = MARKERS[seen[color] % len(MARKERS)]
        seen[color] += 1
    return markers


def set_style() -> None:
    """Set the style of all figures; once, at the top of a notebook.

    It is set on top of matplotlib's own defaults: neither a ``matplotlibrc`` nor what was drawn before has a say.
    """
    plt.style.use("default")
    sns.set_theme(
        context="paper",
        style="ticks",
        rc={
            **fontsizes.icml2024(),
            **axes_style.lines(),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.constrained_layout.use": True,
            "figure.dpi": 150,
            "savefig.dpi": 300,
            "font.family": "DejaVu Sans",
            # At 0.5 markers of a centred legend lie halfway between two pixels, where rounding errors move them
            "legend.borderaxespad": 0.51,
            "legend.frameon": False,
            "mathtext.fontset": "dejavusans",
            "pdf.fonttype": 42,
        },
    )


def init_label(table: pd.DataFrame) -> str:
    """Return what the state ``init`` is called: that of weights brought from elsewhere is another one, drawn anew.

    Args:
        table: with the columns ``state`` and ``imported``.
    """
    imported = table[table.state == "init"].imported
    return "drawn anew" if len(imported) and imported.all() else "init or drawn anew" if imported.any() else "init"


def geometric_means(table: pd.DataFrame, columns: list[str], by: str | list[str]) -> pd.DataFrame:
    """Return geometric means of positive columns over the rows of each group, in order of appearance."""
    return np.exp(np.log(table[columns]).groupby([table[name] for name in np.atleast_1d(by)], sort=False).mean())


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """Return at most ``count`` of the items, evenly spaced, the first and the last among them."""
    places = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [items[place] for place in places]


def log_ticks(*axes: Axis) -> None:
    """Label logarithmic axes with plain numbers: at powers of 10, and where there are few of them also at 2 and 5.

    Where they span more than five decades, some of the powers of 10, as such.
    """
    for axis in axes:
        low, high = axis.get_view_interval()
        decades = math.log10(high / low)
        axis.set_major_locator(LogLocator(subs=(1,) if decades > 2 else (1, 2, 5), numticks=7 if decades > 5 else 20))
        axis.set_major_formatter(LogFormatterMathtext() if decades > 5 else "{x:g}")
        axis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=20))
        axis.set_minor_formatter(NullFormatter())


def letter_panels(axes: list[Axes]) -> None:
    """Mark the panels of a figure a, b, c, ... at their upper left."""
    for letter, ax in zip("abcdefghijklmnopqrstuvwxyz", axes, strict=False):
        ax.set_title(letter, loc="left", fontweight="bold")


def provenance_of(job: Job) -> dict[str, Any]:
    """Return what a figure file carries: stem, run, commit, configuration's hash, and hashes of the tables it is drawn from."""
    pdf = Path(job.output.pdf)
    drawn_from = [value for name, value in vars(job.input).items() if name != "notebook"]
    paths = [path for value in drawn_from for path in ([value] if isinstance(value, str) else value)]
    root = pdf.parents[3 if job.by_hand else 2]
    return {
        "stem": pdf.stem,
        "run": job.wildcards.run,
        **code_state(),
        "config": config_hash(job.config),
        "tables": hashes_of(paths, root=root),
    }


def settle_layout(figure: Figure) -> None:
    """Lay a figure out for good, on a grid far finer than the eye.

    The layout is solved by iteration, whose last digits change from run to run and would show up in the bytes of a file.
    """

    def on_grid(numbers: np.ndarray) -> np.ndarray:
        return np.round(np.asarray(numbers) / LAYOUT_GRID) * LAYOUT_GRID

    def settle_parts(part: FigureBase) -> None:
        for text in part.texts:
            text.set_position(on_grid(text.get_position()))
        for legend in part.legends:
            # Else it keeps to the edge of the page, which has a line below the figure
            legend.set_bbox_to_anchor((0, 0, 1, 1), transform=part.transSubfigure)
        for subfigure in part.subfigs:
            subfigure.bbox_relative.set_points(on_grid(subfigure.bbox_relative.get_points()))
            settle_parts(subfigure)

    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    settle_parts(figure)
    for ax in figure.axes:
        ax.set_position(on_grid(ax.get_position(original=True).bounds))


def save_figure(figure: Figure, job: Job) -> None:
    """Write a figure to the job's PDF and PNG, with its provenance and no date: the same figure gives the same bytes.

    Below it stands which images it was made from (``job.params.images``), as a figure is often seen without its caption. Where
    they lie is printed if a notebook was run by hand.
    """
    settle_layout(figure)
    figure.text(1, 0, job.params.images, ha="right", va="top", fontsize=5.5, color="0.4", parse_math=False)
    page = Bbox.from_extents(0, -FOOTER, *figure.get_size_inches())
    provenance = provenance_of(job)
    text = json.dumps(provenance)
    metadata = {
        "pdf": {"Title": provenance["stem"], "Keywords": text, "CreationDate": None},
        "png": {"Title": provenance["stem"], "Description": text},
    }
    for kind, entries in metadata.items():
        with atomic_path(getattr(job.output, kind)) as partial:
            figure.savefig(partial, format=kind, metadata=entries, bbox_inches=page)
    plt.close(figure)
    if job.by_hand:
        print(f"Drawn by hand: {os.path.relpath(job.output.pdf)} and .png; the pipeline's figure is as it was")
