# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One hidden layer: the whole net trained, or its read-out alone
#
# The same networks of one hidden layer, at init, trained as a whole, and with a hidden layer that stays as drawn: a convolution
# with max-pooling (CNN), filters of each patch's own (LCN), and a convolution with averages over all places (GAP), whose
# read-out pools over channels and over nothing else. Above: what the net computes. Below: its weights. With several seeds,
# points are their means: geometric ones of $D_f$, $G_f$ and $R_f$.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_hidden_layer_pooling")

# %%
import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator, NullLocator

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
table = as_shown(read_table(snakemake.input.table))
for quantity in "DG":
    table[f"{quantity}_own"] = table[quantity] * (1 - table[f"{quantity}_common"])
table["R_own"] = table.D_own / table.G_own
table["what"] = table.trained_part.where(table.state == "trained", "init")
keys = ["net", "what", "channels"]
stabilities = [f"{quantity}{end}" for quantity in "RDG" for end in ("", "_low", "_high")] + ["R_own", "G_own"]
means = table.groupby(keys, sort=False).mean(numeric_only=True)
means[stabilities] = plotting.geometric_means(table, stabilities, by=keys)
means = means.reset_index()
means[[*keys, "R", "R_own", "D", "G", "D_common", "G_common", "test_error"]]

# %%
means[[*keys, "spatial_eigenvalue", "effective_channels", "effective_combinations", "filter_eigenvalue", "selection"]]

# %%
summary = read_table(snakemake.input.summary)
summary["what"] = summary.trained_part.where(summary.state == "trained", "init")
widest = summary[summary.channels == summary.groupby("net").channels.transform("max")]
spectra = widest.groupby(["net", "what", "basis", "index", "wavenumber", "channels"], sort=False, dropna=False)
spectra = spectra.energy.mean().reset_index()
spectra

# %% [markdown]
# Whiskers: 95% intervals, bootstrapped over images for $D_f$, $G_f$ and $R_f$, and binomial for the error. Dotted in the upper
# panels: without the movement that all images share. Pale bars: 95% of the values with filters shuffled among the channels.

# %%
networks = list(dict.fromkeys(table.net))
has_grid = table.groupby("net").grid.max() > 1
LABELS = {"init": "init", "all": "whole net trained", "read_out": "read-out alone trained"}
STYLES = {
    "init": {"color": "0.6", "linestyle": "--"},
    "all": {"color": plotting.color_of_kind("conv"), "linestyle": "-"},
    "read_out": {"color": plotting.color_of_kind("relu"), "linestyle": "-"},
}
DOTTED = {"linestyle": ":", "linewidth": 1}
OF_CHANNELS = {"linestyle": "-.", "linewidth": 1}
COMPUTED = {
    "R": plotting.MEANINGS["R"],
    "D": plotting.MEANINGS["D"],
    "G": plotting.MEANINGS["G"],
    "test_error": r"test error $\epsilon$ (%)",
}
WEIGHTS = (
    "read-out's energy\nover space",
    "read-out's energy\nover channels",
    "mean eigenvalue $\\lambda$\nof the filters",
    "$\\lambda$ as read out,\nover plain mean",
)


def draw_quantity(ax, curve, part, quantity):
    """A quantity with its interval against the number of channels."""
    scale = 100 if quantity == "test_error" else 1
    value, low, high = (scale * curve[f"{quantity}{end}"] for end in ("", "_low", "_high"))
    ax.errorbar(
        curve.channels, value, [value - low, high - value], marker="o", markersize=3, elinewidth=0.9, **STYLES[part]
    )
    if quantity in "RG" and part != "init":
        ax.plot(curve.channels, curve[f"{quantity}_own"], marker=".", markersize=3, **{**STYLES[part], **DOTTED})


def draw_selection(ax, curve, part):
    """How much smoother the filters are that the read-out reads, and the same with shuffled filters."""
    places, color = {"all": 0.91, "read_out": 1.1}[part] * curve.channels, STYLES[part]["color"]
    ax.vlines(places, curve.selection_null_low, curve.selection_null_high, color=color, alpha=0.25, linewidth=4)
    ax.plot(places, curve.selection, color=color, marker="o", markersize=3, linestyle="")


def draw_energies(space, channels, rows, part):
    """Energy of the read-out of the widest net, over patterns in space if it has any, over channels and combinations."""
    curves = dict(iter(rows.groupby("basis")))
    if "laplacian" in curves:
        space.plot(curves["laplacian"].wavenumber, curves["laplacian"].energy, **STYLES[part])
    combinations = curves["combination"][curves["combination"].energy > 0]
    channels.plot(combinations["index"], combinations.energy, **STYLES[part])
    if part != "init":
        channels.plot(curves["channel"]["index"], curves["channel"].energy, **{**STYLES[part], **OF_CHANNELS})


def leave_out(ax):
    """Nothing but the column's axis, and why."""
    plotting.explain_emptiness(ax, "reads averages\nover all places")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", which="both", left=False, labelleft=False)


def channel_axis(ax):
    sizes = sorted(table.channels.unique())
    ax.set_xscale("log")
    ax.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.5)
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.xaxis.set_minor_locator(NullLocator())


figure = plt.figure(figsize=(plotting.PAGE, 1.7 + 2.05 * len(networks)))
top, bottom = figure.subfigures(2, 1)
above = top.subplots(len(networks), 4, sharex=True, sharey="col", squeeze=False)
below = bottom.subplots(len(networks), 4, sharex="col", sharey="col", squeeze=False)
for network, computed, (space, channels, filters, selection) in zip(networks, above, below, strict=True):
    for part in LABELS:
        curve = means[(means.net == network) & (means.what == part)].sort_values("channels")
        for ax, quantity in zip(computed, COMPUTED, strict=True):
            if (part, quantity) != ("init", "test_error"):
                draw_quantity(ax, curve, part, quantity)
        draw_energies(space, channels, spectra[(spectra.net == network) & (spectra.what == part)], part)
        if part != "read_out":  # its filters stay as they were at init
            filters.plot(curve.channels, curve.filter_eigenvalue, marker="o", markersize=3, **STYLES[part])
        if part != "init":
            draw_selection(selection, curve, part)
    if not has_grid[network]:
        leave_out(space)
    for ax in (computed[0], *([space] if has_grid[network] else []), channels, selection):
        ax.axhline(1, color="0.3", linewidth=0.6, linestyle="-", zorder=0)
    for ax in (*computed, filters, selection):
        channel_axis(ax)
    channels.set_xlim(left=1)
    channels.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for ax in (computed[0], space):
        ax.set_ylabel(looks.label(network, 0.9))

for axes, titles in ((above[0], COMPUTED.values()), (below[0], WEIGHTS)):
    for ax, title in zip(axes, titles, strict=True):
        ax.text(0.5, 1.04, title.replace("stability", "stability\n"), transform=ax.transAxes, ha="center", va="bottom")
for ax in (*above[0], *below[0, :2]):
    ax.set_yscale("log")
    plotting.log_ticks(ax.yaxis)
for ax in below[0, 2:]:
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 5, 10)))
for ax in (*above[-1], *below[-1, 2:]):
    ax.set_xlabel("channels")
below[-1, 1].set_xlabel("rank")
below[-1, 0].set_xlabel(r"$\sqrt{\lambda}$ of the pattern")
handles = [plt.Line2D([], [], label=LABELS[part], marker="o", markersize=3, **STYLES[part]) for part in LABELS]
handles.append(
    plt.Line2D([], [], color="0.3", marker=".", markersize=3, label="without the shift common to all images", **DOTTED)
)
handles += [
    plt.Line2D([], [], color="0.3", label="energy over combinations of channels"),
    plt.Line2D([], [], color="0.3", label="over single channels", **OF_CHANNELS),
]
plotting.add_legend(figure, handles, loc="outside upper center", columnspacing=1.2)
for part_of_figure, panels in ((top, above), (bottom, below)):
    part_of_figure.align_ylabels(panels[:, 0])
plotting.letter_panels([ax for ax in (*above.flat, *below.flat) if ax.lines])
plotting.save_figure(figure, snakemake)
