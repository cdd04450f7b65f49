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
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
table = as_shown(read_table(snakemake.input.table))
summary = as_shown(read_table(snakemake.input.summary))
summary.drop(columns=["architecture", "width", "kind", "channels", "images"])

# %% [markdown]
# With several seeds, lines are geometric means over them, and so are the ends of the intervals. Maps of fewer than 8 pixels
# have too few wavenumbers for a spectrum; their mean wavenumbers stand below.

# %%
COLUMNS = 9
SMALLEST_MAP = 8
INIT = "0.6"
DASHES = (0, (2.5, 1.5))

networks = list(dict.fromkeys(summary.net))
colors = {net: plotting.color_of(rows.architecture.iloc[0]) for net, rows in summary.groupby("net", sort=False)}
kinds = list(dict.fromkeys(summary.kind))
shapes = (*plotting.MARKERS, "X", "<", ">", "*")
markers = {kind: shapes[place % len(shapes)] for place, kind in enumerate(kinds)}


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
        share.set_title(shown[column] if "." not in shown[column] else f"operation {column}", fontsize=6, pad=2)
        for ax in (share, absolute):
            ax.tick_params(labelsize=5.5, pad=1.5)
    for ax, label in ((axes[0, 0], "share (%)"), (axes[1, 0], "power")):
        ax.set(xscale="log", yscale="log")
        ax.set_ylabel(label, fontsize=6)
        plotting.log_ticks(ax.yaxis)
        ax.set_xticks([1, 4, 16], ["1", "4", "16"])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter("{x:g}")  # exponents would be too small to read at this size


columns = max(len(operations_to_show(network)) for network in networks)
counts = [summary[summary.net == network].operation.nunique() for network in networks]
# Names below the last panels need their length, and are thinned out where there are too many
name_step = -(-sum(counts) // 45)
top_height, bottom_height = 0.5 + 1.75 * len(networks), 2.75 + 0.05 * summary.operation.str.len().max()
figure = plt.figure(figsize=(plotting.PAGE, top_height + bottom_height))
top, bottom = figure.subfigures(2, 1, height_ratios=(top_height, bottom_height))
blocks = top.subfigures(len(networks), 1, squeeze=False)[:, 0]
grids = [block.subplots(2, columns, sharex=True, sharey="row", squeeze=False) for block in blocks]
panels = bottom.subplots(
    2, len(networks), sharex="col", sharey="row", squeeze=False, width_ratios=[max(count, 9) for count in counts]
)
plotting.letter_panels([*(grid[0, 0] for grid in grids), *panels.T.flat])

for block, grid, network in zip(blocks, grids, networks, strict=True):
    draw_network(grid, network)
    block.supylabel(plotting.label_of(network), color=colors[network], fontsize=6.5, fontweight="bold")
blocks[-1].supxlabel("wavenumber (cycles per map width)", fontsize=7)
handles = [Line2D([], [], color=INIT, label=plotting.init_label(summary))] if (summary.state == "init").any() else []
handles += [Line2D([], [], color=colors[net], label=f"{plotting.label_of(net)}, trained") for net in networks]
handles += [
    Line2D([], [], color="0.2", label="all channels"),
    Line2D([], [], color="0.2", linestyle=DASHES, label="each channel normalised"),
]
top.legend(
    handles=handles,
    loc="outside upper center",
    ncols=len(handles) if len(handles) <= 6 else 4,
    columnspacing=1.2,
    handlelength=1.8,
)

for (upper, lower), network in zip(panels.T, networks, strict=True):
    rows = summary[summary.net == network]
    for state, color in (("init", INIT), ("trained", colors[network])):
        draw_by_operation(upper, rows[rows.state == state], "mean_wavenumber", color)
    order = rows.drop_duplicates("operation_index").sort_values("operation_index")
    white = order.operation_index, order.mean_wavenumber_white
    upper.step(*white, where="mid", color="0.3", linewidth=0.7, linestyle=":")
    upper.set_title(plotting.label_of(network), color=colors[network], fontsize=6.5, fontweight="bold")
    draw_by_operation(lower, rows[rows.state == "trained"], "ratio_to_init", colors[network])
    lower.axhline(1, color=INIT, linewidth=0.8)
    named = order.iloc[::name_step]
    lower.set_xticks(named.operation_index, named.operation, rotation=90, fontsize=6)
    lower.margins(x=0.04)
panels[0, 0].set_yscale("log")
plotting.log_ticks(panels[0, 0].yaxis)
panels[0, 0].set_ylabel("mean wavenumber\n(cycles per map width)", fontsize=7)
panels[1, 0].set_ylabel("mean wavenumber,\ntrained / init", fontsize=7)
bottom.align_ylabels(panels[:, 0])
bottom.supxlabel("operation, in order of execution", fontsize=7)
handles = [
    Line2D([], [], color="0.3", marker=marker, markersize=3, linestyle="", label=kind)
    for kind, marker in markers.items()
]
handles.append(Line2D([], [], color="0.3", linewidth=0.8, linestyle=":", label="white noise"))
# Not the usual 0.5, which puts markers halfway between two pixels: they would be rounded now up, now down
bottom.legend(
    handles=handles,
    loc="outside upper center",
    ncols=min(9, len(handles)),
    columnspacing=1.2,
    handletextpad=0.4,
)
plotting.save_figure(figure, snakemake)
figure
