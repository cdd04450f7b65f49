"""The look of every figure: sizes, fonts, names and colours of networks, and files that carry where they come from."""

import math
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, FigureBase
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterMathtext, LogLocator, MaxNLocator, NullFormatter, NullLocator
from matplotlib.transforms import Bbox
from PIL import Image
from tueplots import axes as axes_style
from tueplots import fontsizes
from tueplots.constants.color import palettes

from ..data.files import atomic_path
from ..networks.catalogue import COLORS as COLOR_NAMES
from .carried import embed_record, seal_pdf, seal_png
from .interactive import Job
from .labels import WIDTH, as_texts, warn_of_missing_letters
from .records import code_state, config_hash, hashes_of

PAGE = 6.75  # inches, both columns
SYMBOLS = {"R": "$R_f$", "D": "$D_f$", "G": "$G_f$"}
MEANINGS = {"R": "relative stability $R_f$", "D": "deformation stability $D_f$", "G": "noise stability $G_f$"}
# After operation k
SYMBOLS_WITHIN, MEANINGS_WITHIN = (
    {quantity: text.replace("_f$", "_k$") for quantity, text in texts.items()} for texts in (SYMBOLS, MEANINGS)
)
LAYOUT_GRID = 2**-17  # of a figure's width or height
FOOTER = 0.12  # inches
# In this context no layout engine is none at all, not even the one called "none", for which each file is drawn twice
LAID_OUT = {"figure.constrained_layout.use": False}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d", "*", "H")

# Paul Tol's "muted" scheme tells every pair apart with any of the common kinds of colour vision
COLORS = {name: f"#{color}" for name, color in zip(COLOR_NAMES, palettes.paultol_muted, strict=False)}
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
NAMES_OF_KINDS = {"conv": "convolution", "batchnorm": "batch-norm", "relu": "ReLU", "relu6": "ReLU6", "pool": "pooling"}
PARTS = {
    "translation": ("translation", COLORS["rose"]),
    "rotation": ("rotation", COLORS["green"]),
    "compression": ("compression", COLORS["sand"]),
    "pure_shear": ("pure shear", COLORS["indigo"]),
    "remainder": ("remainder", "0.6"),
}
# Which numbers have labels within a decade, on logarithmic axes that span more than so many
LABELLED = ((3, (1,)), (2, (1, 3)), (0.9, (1, 2, 5)), (0.5, (1, 2, 3, 5)), (0.33, (1, 1.5, 2, 3, 4, 5, 7)), (0, None))
STATES = {"init": {"linestyle": "--", "alpha": 0.6}, "trained": {"linestyle": "-", "alpha": 1.0}}


class Looks:
    """What networks are called and which colours they have, the same in every figure.

    Args:
        looks: by network, what :mod:`diffeo_stability.pipeline.looks` says, as plain values: ``job.params.looks``.
    """

    def __init__(self, looks: Mapping[str, Mapping[str, str]]):
        self._looks = looks

    def label(self, network: str, inches: float = WIDTH) -> str:
        """Return what a network is called, shortened to a width such that no two networks are called the same."""
        names = [look["label"] for look in self._looks.values()]
        return dict(zip(self._looks, as_texts(names, inches), strict=True))[network]

    def color(self, network: str) -> str:
        """Return a network's colour, as matplotlib takes it."""
        color = self._looks[network]["color"]
        return COLORS.get(color, color)


def color_of_kind(kind: str) -> str:
    """Return the colour of a kind of operation, the same in every figure."""
    return KINDS.get(kind, COLORS["purple"])


def name_of_kind(kind: str) -> str:
    """Return what a kind of operation is called, the same in every figure; of a library's own kind, its name as it is."""
    return NAMES_OF_KINDS.get(kind, kind)


def marker(number: int) -> str:
    """Return the marker of a number from 0 on; where there are no more shapes, it is that number itself."""
    return MARKERS[number] if number < len(MARKERS) else f"${number}$"


def markers_by_color(colors: Mapping[str, str]) -> dict[str, str]:
    """Return a marker for each network that tells it from the others of its colour.

    Args:
        colors: by network.
    """
    seen: Counter[str] = Counter()
    markers = {}
    for network, color in colors.items():
        markers[network] = marker(seen[color])
        seen[color] += 1
    return markers


def add_legend(part: FigureBase | Axes, handles: Iterable[Line2D], *, inches: float = PAGE, **look: Any) -> Legend:
    """Add a legend in as many columns as a width holds; return it.

    Args:
        part: figure, part of one or axes that gets it.
        handles: with their labels.
        inches: width that it may have.
        look: of ``legend``; ``ncols`` are the columns at most.
    """
    handles = list(handles)
    for columns in range(min(look.pop("ncols", len(handles)), len(handles)), 0, -1):
        legend = part.legend(handles=handles, ncols=columns, **look)
        if columns == 1 or legend.get_window_extent().width <= inches * legend.figure.dpi:
            return legend
        legend.remove()
    raise ValueError("a legend needs handles")


def height_of(legend: Legend) -> float:
    """Return the height of a legend in inches."""
    return legend.get_window_extent().height / legend.figure.dpi


def set_style() -> None:
    """Set the style of all figures; once, at the top of a notebook.

    It is set on top of matplotlib's own defaults: neither a ``matplotlibrc`` nor what was drawn before has a say. Colours and
    lines are those of seaborn's theme, style "ticks", in the size for papers; seaborn itself takes longer to import than most
    figures to draw.
    """
    plt.style.use("default")
    # One for every letter at every drawing; warn_of_missing_letters says it once
    warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
    matplotlib.rcParams.update(
        {
            **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), "0.15"),
            "grid.color": "0.8",
            "lines.markersize": 4.8,
            "lines.solid_capstyle": "round",
            "patch.edgecolor": "white",
            "patch.force_edgecolor": True,
            **fontsizes.icml2024(),
            **axes_style.lines(),
            "axes.prop_cycle": cycler(color=COLORS.values()),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.constrained_layout.use": True,
            "figure.dpi": 150,
            "savefig.dpi": 300,
            "font.family": "DejaVu Sans",
            # At 0.5 markers of a centred legend lie halfway between two pixels, where rounding errors move them
            "legend.borderaxespad": 0.51,
            "legend.frameon": False,
            "legend.title_fontsize": 9.6,
            "mathtext.fontset": "dejavusans",
            "pdf.fonttype": 42,
        }
    )


def init_label(table: pd.DataFrame) -> str:
    """Return what the state ``init`` is called: that of weights brought from elsewhere is another one, drawn anew.

    Args:
        table: with the columns ``state`` and ``imported``.
    """
    imported = table[table.state == "init"].imported
    return "drawn anew" if len(imported) and imported.all() else "init or drawn anew" if imported.any() else "init"


def state_lines(table: pd.DataFrame) -> list[plt.Line2D]:
    """Return a legend's lines for the states that a table has, trained before init.

    Args:
        table: with the columns ``state`` and ``imported``.
    """
    names = {"trained": "trained", "init": init_label(table)}
    return [
        plt.Line2D([], [], color="0.3", label=name, **STATES[state])
        for state, name in names.items()
        if (table.state == state).any()
    ]


def geometric_means(table: pd.DataFrame, columns: list[str], by: str | list[str]) -> pd.DataFrame:
    """Return geometric means of positive columns over the rows of each group, in order of appearance."""
    return np.exp(np.log(table[columns]).groupby([table[name] for name in np.atleast_1d(by)], sort=False).mean())


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """Return at most ``count`` of the items, evenly spaced, the first and the last among them."""
    places = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [items[place] for place in places]


def in_rows(items: Sequence[Any], count: int) -> list[Sequence[Any]]:
    """Return the items in rows of at most ``count``."""
    return [items[start : start + count] for start in range(0, len(items), count)]


def log_ticks(*axes: Axis) -> None:
    """Label logarithmic axes with plain numbers: at powers of 10, and where there are few of them at others in between.

    Where they span more than three decades, there are no ticks in between; where more than five, labels at some of the powers of
    10, as such, which also stand where plain numbers have more than five digits; where less than a third of one, round numbers.
    An axis on which nothing is drawn has none.
    """
    for axis in axes:
        low, high = axis.get_view_interval()
        if not 0 < low < high:
            axis.set_major_locator(NullLocator())
            axis.set_minor_locator(NullLocator())
            continue
        decades = math.log10(high / low)
        as_powers = decades > 5 or low < 1e-4 or high >= 1e6
        labelled = next(numbers for least, numbers in LABELLED if decades > least)
        axis.set_major_locator(
            LogLocator(subs=labelled, numticks=7 if decades > 5 else 20)
            if labelled
            else MaxNLocator(4, steps=(1, 2, 2.5, 5, 10))
        )
        axis.set_major_formatter(LogFormatterMathtext() if as_powers else "{x:g}")
        axis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=20) if decades <= 3 else NullLocator())
        axis.set_minor_formatter(NullFormatter())


def explain_emptiness(ax: Axes, words: str) -> None:
    """Say in the middle of a panel why nothing is drawn in it."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color="0.4")


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

    if (engine := figure.get_layout_engine()) is not None:
        with _without_minor_ticks(figure):
            engine.execute(figure)
    with plt.rc_context(LAID_OUT):
        figure.set_layout_engine(None)
    settle_parts(figure)
    for ax in figure.axes:
        ax.set_position(on_grid(ax.get_position(original=True).bounds))
        ax.apply_aspect()  # or ``savefig`` of a part of the page would take images to fill their places


@contextmanager
def _without_minor_ticks(figure: Figure) -> Iterator[None]:
    """Let axes have no minor ticks without labels, which change no layout and take more than half of the time to find one."""
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    kept = []
    for axis in axes:
        if isinstance(axis.get_minor_formatter(), NullFormatter):
            kept.append((axis, axis.get_minor_locator()))
            axis.set_minor_locator(NullLocator())
    yield
    for axis, locator in reversed(kept):  # axes share locators: the first one had them
        axis.set_minor_locator(locator)


@dataclass(frozen=True)
class Saved:
    """A figure that was saved, which a notebook shows as it is in its file.

    Attributes:
        png: the file.
        width: in pixels of the screen.
    """

    png: Path
    width: int

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        return self.png.read_bytes(), {"width": self.width}


def save_figure(figure: Figure, job: Job) -> Saved:
    """Write a figure to the job's PDF and PNG, with its provenance, a hash of the picture and no date: the same figure gives the
    same bytes.

    Below it stands which images it was made from (``job.params.images``), as a figure is often seen without its caption. Where
    they lie is printed if a notebook was run by hand.

    Returns:
        What a notebook shows of it, at the end of a cell.
    """
    settle_layout(figure)
    warn_of_missing_letters(job.params.images)
    figure.text(1, 0, job.params.images, ha="right", va="top", fontsize=5.5, color="0.4", parse_math=False)
    page = Bbox.from_extents(0, -FOOTER, *figure.get_size_inches())
    provenance = provenance_of(job)
    carried = embed_record(provenance)
    title = {"Title": provenance["stem"]}
    options = {
        "pdf": {"metadata": {**title, "Keywords": carried, "CreationDate": None}},
        # The seal has it written, and packed, once more
        "png": {"metadata": {**title, "Description": carried}, "pil_kwargs": {"compress_level": 0}},
    }
    for kind, of_kind in options.items():
        with atomic_path(getattr(job.output, kind)) as partial, plt.rc_context(LAID_OUT):
            figure.savefig(partial, format=kind, bbox_inches=page, **of_kind)
            _seal(partial)
    plt.close(figure)
    if job.by_hand:
        print(f"Drawn by hand: {os.path.relpath(job.output.pdf)} and .png; the pipeline's figure is as it was")
    return Saved(Path(job.output.png), round(figure.get_figwidth() * figure.dpi))


def _seal(path: Path) -> None:
    """Put the hash of what a figure shows, which is known only once it is drawn, into the record that it carries."""
    if path.suffix == ".pdf":
        seal_pdf(path)
        return
    with Image.open(path) as drawn:
        drawn.save(path, "png", pnginfo=seal_png(drawn, drawn.text), dpi=drawn.info["dpi"])
