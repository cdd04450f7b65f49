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
# # Stability after every operation
#
# $D_k$, $G_k$ and $R_k = D_k / G_k$ of the activations after every operation of a network, at init and trained, and what each
# kind of operation does to them. With several seeds, points are their geometric means, and so are the ends of whiskers.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_operation_stability")

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator, NullLocator

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.labels import as_text, as_texts
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
stability = as_shown(read_table(snakemake.input.table))
changes = as_shown(read_table(snakemake.input.summary))
changes[["net", "seed", "state", "kind", "quantity", "ratio", "ratio_low", "ratio_high", "operations", "lowered"]]

# %% [markdown]
# Filled: trained; open: init. Whiskers above: 95% bootstrap intervals over images; below: 95% t intervals over operations.

# %%
networks = list(dict.fromkeys(stability.net))
depths = stability.groupby("net").operation_index.max()
shapes = {net: plotting.marker(place) for place, net in enumerate(networks)}
NETWORKS = 4  # beside each other


def face_of(state, color):
    return color if state == "trained" else "white"


def draw_operations(ax, network, quantity):
    """One quantity against the operations of one network."""
    for state, rows in stability[stability.net == network].groupby("state", sort=False):
        columns = [quantity, f"{quantity}_low", f"{quantity}_high"]
        mean = plotting.geometric_means(rows, columns, by=["operation_index", "kind"]).reset_index()
        mean = mean.sort_values("operation_index")
        linestyle = plotting.STATES[state]["linestyle"]
        ax.plot(mean.operation_index, mean[quantity], color="0.6", linewidth=0.7, linestyle=linestyle, zorder=1)
        for kind, points in mean.groupby("kind", sort=False):
            color = plotting.color_of_kind(kind)
            value = points[quantity]
            ax.errorbar(
                points.operation_index,
                value,
                [value - points[f"{quantity}_low"], points[f"{quantity}_high"] - value],
                fmt="o",
                markersize=2.6,
                color=color,
                markerfacecolor=face_of(state, color),
                markeredgewidth=0.7,
                elinewidth=0.5,
                zorder=2 if state == "init" else 3,
            )
    ax.set_yscale("log")


def draw_changes(ax, quantity):
    """After over before, for every kind of operation, network and state."""
    shown = list(dict.fromkeys((net, state) for net in networks for state in ("init", "trained")))
    step = 0.8 / len(shown)
    for row, kind in enumerate(kinds):
        color = plotting.color_of_kind(kind)
        for place, (network, state) in enumerate(shown):
            which = (changes.net == network) & (changes.state == state) & (changes.quantity == quantity)
            rows = changes[which & (changes.kind == kind)]
            if rows.empty:
                continue
            ratio, low, high = np.exp(np.log(rows[["ratio", "ratio_low", "ratio_high"]]).mean())
            y = row + (place - (len(shown) - 1) / 2) * step
            ax.plot([low, high], [y, y], color=color, linewidth=0.6)
            face = face_of(state, color)
            look = {"marker": shapes[network], "markersize": 3, "markeredgewidth": 0.7}
            ax.plot(ratio, y, color=color, markerfacecolor=face, **look)
    ax.axvline(1, color="0.3", linewidth=0.8, linestyle=":", zorder=0)
    for row in range(1, len(kinds)):
        ax.axhline(row - 0.5, color="0.9", linewidth=0.5, zorder=0)
    ax.set_xscale("log")
    # Powers of 10 would be too few
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 2.5, 5, 10)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticks(range(len(kinds)), as_texts(list(map(plotting.name_of_kind, kinds)), 0.8))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(kinds) - 0.5, -0.5)
    ax.set_xlabel(f"{plotting.SYMBOLS_WITHIN[quantity]} after / before")


there = set(changes.kind)
kinds = [kind for kind in plotting.KINDS if kind in there] + sorted(there - set(plotting.KINDS))
named = [network for network in networks if (changes.net == network).any()]
groups = plotting.in_rows(networks, NETWORKS)
above = 0.5 + 4.4 * len(groups)
below = 0.7 + 0.14 * len(named) / NETWORKS + len(kinds) * (0.08 + 0.08 * len(networks)) if kinds else 0
figure = plt.figure(figsize=(plotting.PAGE, above + below))
top, bottom = figure.subfigures(2, 1, height_ratios=(above, below)) if kinds else (figure.subfigures(1, 1), None)


def draw_networks(part, group):
    """Networks beside each other, all quantities of each below each other; return their axes."""
    widths = [depths[network] ** 0.5 for network in group]
    axes = part.subplots(3, len(group), sharex="col", sharey="row", squeeze=False, width_ratios=widths)
    for column, network in enumerate(group):
        for ax, quantity in zip(axes[:, column], "RDG", strict=True):
            draw_operations(ax, network, quantity)
        axes[0, column].axhline(1, color="0.3", linewidth=0.8, linestyle=":")
        axes[0, column].set_title(looks.label(network, 5.5 * widths[column] / sum(widths) - 0.4), loc="center")
    for ax, quantity in zip(axes[:, 0], "RDG", strict=True):
        ax.set_ylabel(plotting.MEANINGS_WITHIN[quantity].replace(" ", "\n", 1))
        plotting.log_ticks(ax.yaxis)
    part.align_ylabels(axes[:, 0])
    return axes


bands = top.subfigures(len(groups), 1, squeeze=False)[:, 0]
panels = [ax for band, group in zip(bands, groups, strict=True) for ax in draw_networks(band, group).flat]
top.supxlabel("operation, from input to output", fontsize=plt.rcParams["axes.labelsize"])


def mark(label, color="0.3", **style):
    return plt.Line2D([], [], color=color, marker="o", markersize=3.5, label=label, **style)


handles = [
    mark(as_text(plotting.name_of_kind(kind)), plotting.color_of_kind(kind), linestyle="")
    for kind in dict.fromkeys(stability.kind)
]
handles.append(mark("trained", linewidth=0.7))
if (stability.state == "init").any():
    handles.append(mark(plotting.init_label(stability), markerfacecolor="white", linewidth=0.7, linestyle="--"))
plotting.add_legend(top, handles, loc="outside upper center", columnspacing=1.2, handletextpad=0.6)
if kinds:
    last = bottom.subplots(1, 3, sharey=True)
    for ax, quantity in zip(last, "RDG", strict=True):
        draw_changes(ax, quantity)
    panels += list(last)
    handles = [
        plt.Line2D([], [], color="0.3", linestyle="", marker=shapes[net], markersize=3, label=looks.label(net))
        for net in named
    ]
    plotting.add_legend(bottom, handles, loc="outside upper center", ncols=6, handletextpad=0.4)
plotting.letter_panels(panels)
plotting.save_figure(figure, snakemake)
