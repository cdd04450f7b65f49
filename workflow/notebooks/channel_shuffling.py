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
# $R_f$, $D_f$ and $G_f$ after every operation at init, trained, and trained with the input channels of every convolution
# permuted at random; and the share of the trained gain $\log(R_{init} / R_{trained})$ that survives,
# $\log(R_{init} / R_{shuffled}) / \log(R_{init} / R_{trained})$. With several seeds, lines and points are their means.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_channel_shuffling")

# %%
import matplotlib.pyplot as plt
import numpy as np

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
batch_norm = snakemake.config["channel_shuffling"]["batch_norm"]
stability, summary = (
    table[table.batch_norm.isin([batch_norm, "none"])]
    for table in (read_table(snakemake.input.table), read_table(snakemake.input.summary))
)
stability[["net", "seed", "state", "permutation", "batch_norm", "operation", "kind", "D", "G", "R"]]

# %%
summary[["net", "seed", "operation", "R_init", "R_trained", "R_shuffled", "gain", "share", "share_low", "share_high"]]

# %% [markdown]
# Filled: trained; open: init; line with a band: shuffled, the mean over permutations of the logarithm and one standard deviation
# either way. Below, points are shares of the gain, with 95% intervals over images and permutations, where there is a gain;
# triangles are shares beyond the axis.

# %%
networks = list(dict.fromkeys(stability.net))
depths = [stability[stability.net == network].operation_index.max() for network in networks]
LOWEST, HIGHEST = -0.75, 1.75  # shares drawn


def draw_operations(ax, network, quantity):
    """One quantity against the operations of one network, in its three states."""
    rows = stability[stability.net == network].assign(log=lambda table: np.log(table[quantity]))
    for state, own in rows.groupby("state", sort=False):
        if state == "shuffled":
            by_seed = own.groupby(["seed", "operation_index"])["log"].agg(["mean", "std"])
            log = by_seed.groupby("operation_index").mean()
            color = plotting.color_of(own.architecture.iloc[0])
            ax.fill_between(
                log.index,
                np.exp(log["mean"] - log["std"]),
                np.exp(log["mean"] + log["std"]),
                color=color,
                alpha=0.3,
                lw=0,
            )
            ax.plot(log.index, np.exp(log["mean"]), color=color, linewidth=1.3)
            continue
        mean = own.groupby(["operation_index", "kind"])[quantity].mean().reset_index()
        ax.plot(
            mean.operation_index,
            mean[quantity],
            color="0.6",
            linewidth=0.7,
            linestyle=plotting.STATES[state]["linestyle"],
        )
        for kind, points in mean.groupby("kind", sort=False):
            color = plotting.color_of_kind(kind)
            ax.plot(
                points.operation_index,
                points[quantity],
                "o",
                markersize=2.8,
                color=color,
                markerfacecolor=color if state == "trained" else "white",
                markeredgewidth=0.7,
            )
    ax.set_yscale("log")


def draw_shares(ax, network):
    """The share of the gain that survives, after the operations where every seed has one."""
    columns = ["share", "share_low", "share_high"]
    groups = summary[summary.net == network].groupby(["operation_index", "kind"])[columns]
    mean = groups.agg(lambda values: values.mean(skipna=False)).dropna().reset_index()
    for kind, points in mean.groupby("kind", sort=False):
        ends = [points.share - points.share_low, points.share_high - points.share]
        ax.errorbar(
            points.operation_index,
            points.share,
            ends,
            fmt="o",
            markersize=2.8,
            color=plotting.color_of_kind(kind),
            elinewidth=0.8,
        )
        for marker, beyond in (("^", points[points.share > HIGHEST]), ("v", points[points.share < LOWEST])):
            edge = beyond.share.clip(LOWEST + 0.1, HIGHEST - 0.1)
            ax.plot(beyond.operation_index, edge, marker, markersize=4, color=plotting.color_of_kind(kind))
    for level, style in ((0, "--"), (1, "-")):
        ax.axhline(level, color="0.3", linewidth=0.8, linestyle=style, zorder=0)
    ax.set_ylim(LOWEST, HIGHEST)


figure, axes = plt.subplots(
    4,
    len(networks),
    figsize=(plotting.PAGE, 6.4),
    sharex="col",
    sharey="row",
    squeeze=False,
    width_ratios=[depth**0.5 for depth in depths],
)
for column, network in enumerate(networks):
    for ax, quantity in zip(axes[:, column], "RDG", strict=False):
        draw_operations(ax, network, quantity)
    axes[0, column].axhline(1, color="0.3", linewidth=0.8, linestyle=":")
    draw_shares(axes[-1, column], network)
    has_batch_norm = (stability[stability.net == network].batch_norm != "none").any()
    title = plotting.label_of(network) + (f"\nstatistics {batch_norm}" if has_batch_norm else "")
    axes[0, column].set_title(title, loc="center")
for ax, quantity in zip(axes[:, 0], "RDG", strict=False):
    ax.set_ylabel(plotting.MEANINGS[quantity].replace(" ", "\n", 1))
    plotting.log_ticks(ax.yaxis)
axes[-1, 0].set_ylabel("share of the gain\nthat survives")
figure.supxlabel("operation, from input to output", fontsize=plt.rcParams["axes.labelsize"])
handles = [
    plt.Line2D([], [], color=plotting.color_of_kind(kind), marker="o", markersize=3.5, linestyle="", label=kind)
    for kind in dict.fromkeys(stability.kind)
]
grey = {"color": "0.5", "linewidth": 0.7, "marker": "o", "markersize": 3.5}
handles += [
    plt.Line2D([], [], **grey, label="trained"),
    plt.Line2D([], [], **grey, linestyle="--", markerfacecolor="white", label="init"),
    plt.Line2D([], [], color="0.5", linewidth=1.3, label="shuffled"),
]
figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), columnspacing=1.0, handletextpad=0.5)
plotting.letter_panels(axes.flat)
figure.align_ylabels(axes[:, 0])
plotting.save_figure(figure, snakemake)
figure
