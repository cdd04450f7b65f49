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
# # Power spectra of activations after every operation
#
# If networks become stable by making their filters low-pass, training should move the power of their activations to lower
# wavenumbers. Solid: power of all channels together. Dashed: each channel's spectrum normalised before the mean, so that
# every channel counts the same. The upper panels of a network show shares, scaled to a total of 100% over all Fourier modes; the
# lower ones absolute power, which batch-norm and the weights' sizes scale.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_activation_spectra")

# %%
import math

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.labels import as_text
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
table = as_shown(read_table(snakemake.input.table))
summary = as_shown(read_table(snakemake.input.summary))
summary.drop(columns=["architecture", "width", "kind", "channels", "images"])

# %% [markdown]
# With several seeds, lines are geometric means over them, and so are the ends of the intervals. Maps of fewer than 8 pixels
# have too few wavenumbers for a spectrum; their mean wavenumbers stand below.

# %%
COLUMNS = 9
NETWORKS = 4  # beside each other
NAME = 1.2  # inches, of an operation below its panel
SMALLEST_MAP = 8
INIT = "0.6"
DASHES = (0, (2.5, 1.5))

networks = list(dict.fromkeys(summary.net))
colors = {net: looks.color(net) for net in networks}
kinds = list(dict.fromkeys(summary.kind))
markers = {kind: plotting.marker(place) for place, kind in enumerate(kinds)}


def operations_to_show(network):
    """A network's operations with maps of at least 8 pixels if they fit into a row, else a choice of them that does."""
    rows = summary[(summary.net == network) & (summary.map_size >= SMALLEST_MAP)].drop_duplicates("operation")
    choices = [rows[rows.kind.isin(["input", *chosen])] for chosen in (kinds, ("conv", "relu"), ("conv",))]
    fitting = [list(choice.operation) for choice in choices if 1 < len(choice) <= COLUMNS]
    return fitting[0] if fitting else plotting.spread(list(choices[-1].operation), COLUMNS)


def spectra_of(network, operation):
    """Share of the total over all modes, in percent, and absolute power per mode, of one operation."""
    rows = table[(table.net == network) & (table.operation == operation)]
    totals = (rows.power * rows.modes).groupby([rows.seed, rows.state]).transform("sum")
    return rows.assign(share=100 * rows.power / totals, share_normalised=100 * rows.power_normalised)


def draw_spectra(ax, rows, color, quantity, normalised=None):
    """Spectra of one operation at init and trained."""
    for state, its_color in (("init", INIT), ("trained", color)):
        columns = [quantity, normalised or quantity]
        curve = plotting.geometric_means(rows[rows.state == state], columns, by="wavenumber")
        ax.plot(curve.index, curve[quantity], color=its_color, linewidth=1.0)
        if normalised:
            ax.plot(curve.index, curve[normalised], color=its_color, linewidth=0.8, linestyle=DASHES)


def draw_by_operation(ax, rows, quantity, color):
    """A quantity of the summary after every operation with its interval, and dashed its normalised counterpart."""
    columns = [quantity, f"{quantity}_low", f"{quantity}_high", f"{quantity}_normalised"]
    curve = plotting.geometric_means(rows.dropna(subset=quantity), columns, by="operation_index").sort_index()
    value, low, high, normalised = (curve[column] for column in columns)
    ax.fill_between(curve.index, low, high, color=color, alpha=0.3, linewidth=0)
    ax.plot(curve.index, value, color=color, linewidth=0.8)
    ax.plot(curve.index, normalised, color=color, linewidth=0.7, linestyle=DASHES)
    for index, kind in rows.drop_duplicates("operation_index").set_index("operation_index").kind.items():
        if index in value.index:
            ax.plot(index, value[index], color=color, marker=markers[kind], markersize=2.6, markeredgewidth=0)


def draw_network(axes, network):
    """Shares above absolute power, one column an operation; beneath the last panels stand the wavenumbers."""
    shown = operations_to_show(network)
    for column, (share, absolute) in enumerate(axes.T):
        if column >= len(shown):
            share.remove()
            absolute.remove()
            continue
        rows = spectra_of(network, shown[column])
        draw_spectra(share, rows, colors[network], "share", "share_normalised")
        draw_spectra(absolute, rows, colors[network], "power")
        title = shown[column] if "." not in shown[column] else f"no. {rows.operation_index.iloc[0]}"
        share.set_title(as_text(title, 0.6), fontsize=6, pad=2)
        for ax in (share, absolute):
            ax.tick_params(labelsize=5.5, pad=1.5)
    for ax, label in ((axes[0, 0], "share (%)"), (axes[1, 0], "power")):
        ax.set(xscale="log", yscale="log")
        ax.set_ylabel(label, fontsize=6)
        plotting.log_ticks(ax.yaxis)
        ax.set_xticks([1, 4, 16], ["1", "4", "16"])
        ax.xaxis.set_minor_locator(NullLocator())
        # Raised exponents would be too small to read at this size
        ax.yaxis.set_major_formatter(lambda x, _: f"{x:g}" if x > 5e-4 else f"1e\u2212{-round(math.log10(x))}")


columns = max(len(operations_to_show(network)) for network in networks)
counts = {network: summary[summary.net == network].operation.nunique() for network in networks}
groups = plotting.in_rows(networks, NETWORKS)
# Names below the last panels need their length
names_height = min(NAME, 0.05 * summary.operation.str.len().max())
top_height, bottom_height = 0.5 + 1.75 * len(networks), 0.3 + (2.45 + names_height) * len(groups)
figure = plt.figure(figsize=(plotting.PAGE, top_height + bottom_height))
top, bottom = figure.subfigures(2, 1, height_ratios=(top_height, bottom_height))
blocks = top.subfigures(len(networks), 1, squeeze=False)[:, 0]
grids = [block.subplots(2, columns, sharex=True, sharey="row", squeeze=False) for block in blocks]
bands = bottom.subfigures(len(groups), 1, squeeze=False)[:, 0]
panels = [
    band.subplots(
        2, len(group), sharex="col", sharey="row", squeeze=False, width_ratios=[max(counts[net], 9) for net in group]
    )
    for band, group in zip(bands, groups, strict=True)
]
plotting.letter_panels([*(grid[0, 0] for grid in grids), *(ax for some in panels for ax in some.T.flat)])

for block, grid, network in zip(blocks, grids, networks, strict=True):
    draw_network(grid, network)
    block.supylabel(looks.label(network), fontsize=6.5, fontweight="bold")
blocks[-1].supxlabel("wavenumber (cycles per map width)", fontsize=7)
handles = [Line2D([], [], color=INIT, label=plotting.init_label(summary))] if (summary.state == "init").any() else []
if len(networks) <= NETWORKS:
    handles += [Line2D([], [], color=colors[net], label=f"{looks.label(net)}, trained") for net in networks]
else:
    handles.append(Line2D([], [], color=colors[networks[0]], label="trained, in the net's colour"))
handles += [
    Line2D([], [], color="0.2", label="all channels"),
    Line2D([], [], color="0.2", linestyle=DASHES, label="each channel normalised"),
]
plotting.add_legend(top, handles, loc="outside upper center", columnspacing=1.2, handlelength=1.8)


def draw_by_depth(upper, lower, network, inches, name_step):
    """Mean wavenumber after every operation of a network above, trained over init below."""
    rows = summary[summary.net == network]
    for state, color in (("init", INIT), ("trained", colors[network])):
        draw_by_operation(upper, rows[rows.state == state], "mean_wavenumber", color)
    order = rows.drop_duplicates("operation_index").sort_values("operation_index")
    white = order.operation_index, order.mean_wavenumber_white
    upper.step(*white, where="mid", color="0.3", linewidth=0.7, linestyle=":")
    upper.set_title(looks.label(network, inches), fontsize=6.5, fontweight="bold")
    draw_by_operation(lower, rows[rows.state == "trained"], "ratio_to_init", colors[network])
    lower.axhline(1, color=INIT, linewidth=0.8)
    named = order.iloc[::name_step]
    names = [as_text(name, NAME) for name in named.operation]
    lower.set_xticks(named.operation_index, names, rotation=90, fontsize=6)
    lower.margins(x=0.04)


for band, group, some in zip(bands, groups, panels, strict=True):
    widths = [max(counts[net], 9) for net in group]
    name_step = -(-sum(counts[net] for net in group) // 45)  # names are thinned out where there are too many
    for (upper, lower), network, width in zip(some.T, group, widths, strict=True):
        draw_by_depth(upper, lower, network, 5.5 * width / sum(widths) - 0.2, name_step)
    some[0, 0].set_yscale("log")
    plotting.log_ticks(some[0, 0].yaxis)
    some[0, 0].set_ylabel("mean wavenumber\n(cycles per map width)", fontsize=7)
    some[1, 0].set_ylabel("mean wavenumber,\ntrained / init", fontsize=7)
    band.align_ylabels(some[:, 0])
bottom.supxlabel("operation, in order of execution", fontsize=7)
handles = [
    Line2D([], [], color="0.3", marker=shape, markersize=3, linestyle="", label=as_text(plotting.name_of_kind(kind)))
    for kind, shape in markers.items()
]
handles.append(Line2D([], [], color="0.3", linewidth=0.8, linestyle=":", label="white noise"))
# Not the usual 0.5, which puts markers halfway between two pixels: they would be rounded now up, now down
plotting.add_legend(bottom, handles, loc="outside upper center", columnspacing=1.2, handletextpad=0.4)
plotting.save_figure(figure, snakemake)
