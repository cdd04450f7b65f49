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
# every channel counts the same. Both are scaled to a total of 100% over all Fourier modes.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_activation_spectra")

# %%
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
table = read_table(snakemake.input.table)
summary = read_table(snakemake.input.summary)
summary.drop(columns=["architecture", "width", "kind", "channels", "images"])

# %% [markdown]
# With several seeds, lines are means over them, and so are the ends of the intervals.

# %%
COLUMNS = 7
INIT = "0.6"
DASHES = (0, (2.5, 1.5))

networks = list(dict.fromkeys(table.net))
colors = {net: plotting.color_of(rows.architecture.iloc[0]) for net, rows in table.groupby("net", sort=False)}
kinds = list(dict.fromkeys(summary.kind))
shapes = (*plotting.MARKERS, "X", "<", ">", "*")
markers = {kind: shapes[place % len(shapes)] for place, kind in enumerate(kinds)}


def operations_to_show(network):
    """All of a network's operations if they fit into two rows, else the largest of a few choices that does."""
    rows = summary[summary.net == network].drop_duplicates("operation")
    last_of_size = ~rows.map_size.duplicated(keep="last") | (rows.kind == "input")
    choices = [rows[rows.kind.isin(["input", *chosen])] for chosen in (kinds, ("conv", "relu"), ("conv",))]
    choices.append(rows[last_of_size])
    return next(
        (list(choice.operation) for choice in choices if 1 < len(choice) <= 2 * COLUMNS), list(choices[-1].operation)
    )


def draw_spectra(ax, network, operation):
    """Spectra of one operation at init and trained, in percent of the total over all modes."""
    rows = table[(table.net == network) & (table.operation == operation)]
    totals = (rows.power * rows.modes).groupby([rows.seed, rows.state]).transform("sum")
    rows = rows.assign(power=100 * rows.power / totals, power_normalised=100 * rows.power_normalised)
    for state, color in (("init", INIT), ("trained", colors[network])):
        curve = rows[rows.state == state].groupby("wavenumber")[["power", "power_normalised"]].mean()
        ax.plot(curve.index, curve.power, color=color, linewidth=1.0)
        ax.plot(curve.index, curve.power_normalised, color=color, linewidth=0.8, linestyle=DASHES)
    ax.set_title(operation, fontsize=6, pad=2)


def draw_by_operation(ax, rows, quantity, color):
    """A quantity of the summary after every operation with its interval, and dashed its normalised counterpart."""
    columns = [quantity, f"{quantity}_low", f"{quantity}_high", f"{quantity}_normalised"]
    curve = rows.groupby("operation_index")[columns].mean()
    value, low, high, normalised = (curve[column] for column in columns)
    ax.fill_between(curve.index, low, high, color=color, alpha=0.3, linewidth=0)
    ax.plot(curve.index, value, color=color, linewidth=0.8)
    ax.plot(curve.index, normalised, color=color, linewidth=0.7, linestyle=DASHES)
    for index, kind in rows.drop_duplicates("operation_index").set_index("operation_index").kind.items():
        ax.plot(index, value[index], color=color, marker=markers[kind], markersize=2.6, markeredgewidth=0)


# One place a panel: networks one below the other, each wrapped into rows
panel_rows = []
for network in networks:
    shown = operations_to_show(network)
    panel_rows += [(network, shown[start : start + COLUMNS]) for start in range(0, len(shown), COLUMNS)]

columns = max(len(shown) for _, shown in panel_rows)
counts = [summary[summary.net == network].operation.nunique() for network in networks]
# Names below the last panels need their length, and are thinned out where there are too many
name_step = -(-sum(counts) // 45)
top_height, bottom_height = 0.6 + 1.0 * len(panel_rows), 2.75 + 0.05 * summary.operation.str.len().max()
figure = plt.figure(figsize=(plotting.PAGE, top_height + bottom_height))
top, bottom = figure.subfigures(2, 1, height_ratios=(top_height, bottom_height))
grid = top.subplots(len(panel_rows), columns, sharex=True, sharey=True, squeeze=False)
panels = bottom.subplots(
    2, len(networks), sharex="col", sharey="row", squeeze=False, width_ratios=[max(count, 5) for count in counts]
)
plotting.letter_panels([grid[0, 0], *panels.T.flat])

for row, (network, shown) in enumerate(panel_rows):
    for ax, operation in zip(grid[row], shown, strict=False):
        draw_spectra(ax, network, operation)
    grid[row, 0].set_ylabel(plotting.label_of(network), color=colors[network], fontsize=6.5, fontweight="bold")
    below = len(panel_rows[row + 1][1]) if row + 1 < len(panel_rows) else 0
    for column, ax in enumerate(grid[row]):
        ax.tick_params(labelsize=5.5, pad=1.5, labelbottom=column >= below)
        if column >= len(shown):
            ax.remove()
grid[0, 0].set(xscale="log", yscale="log")
plotting.log_ticks(grid[0, 0].xaxis, grid[0, 0].yaxis)
grid[0, 0].yaxis.set_major_formatter("{x:g}")  # exponents would be too small to read at this size
top.supxlabel("wavenumber (cycles per map width)", fontsize=7)
top.supylabel("power per Fourier mode\n(% of total)", fontsize=7, multialignment="center")
handles = [Line2D([], [], color=INIT, label="init")]
handles += [Line2D([], [], color=colors[net], label=f"{plotting.label_of(net)}, trained") for net in networks]
handles += [
    Line2D([], [], color="0.2", label="all channels"),
    Line2D([], [], color="0.2", linestyle=DASHES, label="each channel normalised"),
]
top.legend(
    handles=handles,
    loc="outside upper center",
    ncols=min(6, len(handles)),
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
