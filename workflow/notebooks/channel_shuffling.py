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
# # What survives when channels are shuffled?
#
# $R_k$, $D_k$ and $G_k$ after every operation at init, trained, and trained with the input channels of every convolution
# permuted at random; and the share of the trained gain $\log(D_{init} / D_{trained})$ that survives,
# $\log(D_{init} / D_{shuffled}) / \log(D_{init} / D_{trained})$, and the same for $R$.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_channel_shuffling")

# %%
import matplotlib.pyplot as plt
import numpy as np

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.labels import as_text
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
batch_norm = snakemake.config["channel_shuffling"]["batch_norm"]
stability = as_shown(read_table(snakemake.input.table))
stability = stability[(stability.state == "init") | stability.batch_norm.isin([batch_norm, "none"])]
summary = read_table(snakemake.input.summary)
summary = summary[summary.batch_norm.isin([batch_norm, "none"]) & (summary.init_batch_norm != "estimated")]
stability[["net", "seed", "state", "permutation", "batch_norm", "operation", "kind", "D", "R", "G"]]

# %%
summary[
    ["net", "seed", "operation", "quantity", "init", "trained", "shuffled", "gain", "share", "share_low", "share_high"]
]

# %% [markdown]
# Filled: trained; open: init; line with a band: shuffled, the mean over permutations of the logarithm and one standard deviation
# either way. With several seeds, all are means over them, of logarithms above. Below, points are shares of the gain, with 95%
# intervals over images and permutations, after the operations where every seed has a gain; what lies beyond the axis is an arrow
# with its number.

# %%
networks = list(dict.fromkeys(stability.net))
depths = stability.groupby("net").operation_index.max()
NETWORKS = 4  # beside each other
keys = ["net", "quantity", "operation_index", "kind"]
shares = summary.groupby(keys, sort=False)[["share", "share_low", "share_high"]]
shares = shares.agg(lambda values: values.mean(skipna=False)).dropna().reset_index()
# The axis of shares holds them all with their intervals, up to where it would hide the others
LOWEST = max(-1.0, min(-0.2, shares.share_low.min() - 0.1))
HIGHEST = min(3.0, max(1.2, shares.share_high.max() + 0.1))


def draw_shuffled(ax, rows, quantity):
    """Geometric mean over permutations and seeds, and one standard deviation over permutations."""
    logs = np.log(rows[quantity]).groupby([rows.seed, rows.operation_index]).agg(["mean", "std"])
    logs = logs.groupby("operation_index").mean()
    color = looks.color(rows.net.iloc[0])
    low, high = (np.exp(logs["mean"] + sign * logs["std"]) for sign in (-1, 1))
    ax.fill_between(logs.index, low, high, color=color, alpha=0.3, lw=0)
    ax.plot(logs.index, np.exp(logs["mean"]), color=color, linewidth=1.3)


def draw_state(ax, rows, quantity, state):
    """One quantity at init or trained, geometric means over seeds, coloured by the kind of operation."""
    means = plotting.geometric_means(rows, [quantity], by=["operation_index", "kind"]).reset_index()
    ax.plot(
        means.operation_index,
        means[quantity],
        color="0.6",
        linewidth=0.7,
        linestyle=plotting.STATES[state]["linestyle"],
    )
    for kind, points in means.groupby("kind", sort=False):
        color = plotting.color_of_kind(kind)
        face = color if state == "trained" else "white"
        look = {"markersize": 2.8, "markeredgewidth": 0.7, "color": color, "markerfacecolor": face}
        ax.plot(points.operation_index, points[quantity], "o", **look)


def draw_operations(ax, network, quantity):
    """One quantity against the operations of one network, in its three states."""
    rows = stability[stability.net == network]
    draw_shuffled(ax, rows[rows.state == "shuffled"], quantity)
    for state in ("init", "trained"):
        draw_state(ax, rows[rows.state == state], quantity, state)
    ax.set_yscale("log")


def draw_beyond(ax, place, share, color):
    """An arrow at the edge of the axis, and the share that lies beyond it."""
    above = share > HIGHEST
    edge = HIGHEST if above else LOWEST
    ax.plot(place, edge, "^" if above else "v", color=color, markersize=3, clip_on=False, zorder=4)
    offset = (0, -5 if above else 5)
    look = {"ha": "center", "va": "top" if above else "bottom", "fontsize": 6, "color": "0.15", "rotation": 90}
    ax.annotate(f"{share:.2g}".replace("-", "\u2212"), (place, edge), offset, textcoords="offset points", **look)


def draw_shares(ax, network, quantity):
    """The share of the gain that survives, after the operations where every seed has one."""
    own = shares[(shares.net == network) & (shares.quantity == quantity)]
    for row in own.itertuples():
        color = plotting.color_of_kind(row.kind)
        low, high, place = row.share_low, row.share_high, row.operation_index
        ax.plot([place, place], np.clip([low, high], LOWEST, HIGHEST), color=color, linewidth=0.8)
        inside = LOWEST < row.share < HIGHEST
        if inside:
            ax.plot(place, row.share, "o", color=color, markersize=2.8)
        for end in (low, high) if inside else (row.share,):
            if not LOWEST < end < HIGHEST:
                draw_beyond(ax, place, end, color)
    if own.empty:
        ax.text(0.5, 0.5, "no gain", transform=ax.get_yaxis_transform(), ha="center", va="center", color="0.4")
    for level, style in ((0, "--"), (1, "-")):
        ax.axhline(level, color="0.3", linewidth=0.8, linestyle=style, zorder=0)
    ax.set_ylim(LOWEST, HIGHEST)


def draw_networks(part, group):
    """Networks beside each other, all quantities of each below each other; return their axes."""
    widths = [depths[network] ** 0.5 for network in group]
    axes = part.subplots(5, len(group), sharex="col", sharey="row", squeeze=False, width_ratios=widths)
    for column, network in enumerate(group):
        for ax, quantity in zip(axes[:3, column], "RDG", strict=True):
            draw_operations(ax, network, quantity)
        axes[0, column].axhline(1, color="0.3", linewidth=0.8, linestyle=":")
        for ax, quantity in zip(axes[3:, column], "DR", strict=True):
            draw_shares(ax, network, quantity)
        axes[0, column].set_title(looks.label(network, 5.5 * widths[column] / sum(widths) - 0.4), loc="center")
    for ax, quantity in zip(axes[:3, 0], "RDG", strict=True):
        ax.set_ylabel(plotting.MEANINGS_WITHIN[quantity].replace(" ", "\n", 1))
        plotting.log_ticks(ax.yaxis)
    for ax, quantity in zip(axes[3:, 0], "DR", strict=True):
        ax.set_ylabel(f"surviving share of\nthe gain in $\\log\\,{quantity}_k$")
    part.align_ylabels(axes[:, 0])
    return axes


groups = plotting.in_rows(networks, NETWORKS)
figure = plt.figure(figsize=(plotting.PAGE, 0.5 + 7.1 * len(groups)))
bands = figure.subfigures(len(groups), 1, squeeze=False)[:, 0]
panels = [ax for band, group in zip(bands, groups, strict=True) for ax in draw_networks(band, group).flat]
figure.supxlabel("operation, from input to output", fontsize=plt.rcParams["axes.labelsize"])
handles = [
    plt.Line2D(
        [],
        [],
        color=plotting.color_of_kind(kind),
        marker="o",
        markersize=3.5,
        linestyle="",
        label=as_text(plotting.name_of_kind(kind)),
    )
    for kind in dict.fromkeys(stability.kind)
]
grey = {"color": "0.5", "linewidth": 0.7, "marker": "o", "markersize": 3.5}
handles += [
    plt.Line2D([], [], **grey, linestyle="--", markerfacecolor="white", label=plotting.init_label(stability)),
    plt.Line2D([], [], **grey, label="trained"),
    plt.Line2D([], [], color="0.5", linewidth=1.3, label="shuffled"),
]
plotting.add_legend(figure, handles, loc="outside upper center", columnspacing=1.0, handletextpad=0.5)
plotting.letter_panels(panels)
plotting.save_figure(figure, snakemake)
