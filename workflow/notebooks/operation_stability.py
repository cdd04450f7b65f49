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
# $D_f$, $G_f$ and $R_f = D_f / G_f$ of the activations after every operation of a network, at init and trained. With several
# seeds, points are their means.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_operation_stability")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
stability = read_table(snakemake.input.table)
stability[["net", "seed", "state", "operation", "kind", "D", "G", "R", "R_low", "R_high"]]

# %% [markdown]
# Filled: trained; open: init. Whiskers: 95% bootstrap intervals over images.

# %%
networks = list(dict.fromkeys(stability.net))
depths = [stability[stability.net == network].operation_index.max() for network in networks]


def draw_operations(ax, network, quantity):
    """One quantity against the operations of one network."""
    for state, rows in stability[stability.net == network].groupby("state", sort=False):
        columns = [quantity, f"{quantity}_low", f"{quantity}_high"]
        mean = rows.groupby(["operation_index", "kind"])[columns].mean().reset_index()
        style = plotting.STATES[state]
        ax.plot(mean.operation_index, mean[quantity], color="0.6", linewidth=0.7, linestyle=style["linestyle"])
        for kind, points in mean.groupby("kind", sort=False):
            color = plotting.color_of_kind(kind)
            value = points[quantity]
            ax.errorbar(
                points.operation_index,
                value,
                [value - points[f"{quantity}_low"], points[f"{quantity}_high"] - value],
                fmt="o",
                markersize=2.8,
                color=color,
                markerfacecolor=color if state == "trained" else "white",
                markeredgewidth=0.7,
                elinewidth=0.5,
            )
    ax.set_yscale("log")


figure, axes = plt.subplots(
    3,
    len(networks),
    figsize=(plotting.PAGE, 4.9),
    sharex="col",
    sharey="row",
    squeeze=False,
    width_ratios=[depth**0.5 for depth in depths],
)
for column, network in enumerate(networks):
    for ax, quantity in zip(axes[:, column], "RDG", strict=True):
        draw_operations(ax, network, quantity)
    axes[0, column].axhline(1, color="0.3", linewidth=0.8, linestyle=":")
    axes[0, column].set_title(plotting.label_of(network), loc="center")
for ax, quantity in zip(axes[:, 0], "RDG", strict=True):
    ax.set_ylabel(plotting.MEANINGS[quantity].replace(" ", "\n", 1))
    plotting.log_ticks(ax.yaxis)
figure.supxlabel("operation, from input to output", fontsize=plt.rcParams["axes.labelsize"])
handles = [
    plt.Line2D([], [], color=plotting.color_of_kind(kind), marker="o", markersize=3.5, linestyle="", label=kind)
    for kind in dict.fromkeys(stability.kind)
]
handles += [
    plt.Line2D([], [], color="0.3", marker="o", markersize=3.5, label="trained", linewidth=0.7),
    plt.Line2D(
        [],
        [],
        color="0.3",
        marker="o",
        markersize=3.5,
        markerfacecolor="white",
        label="init",
        linewidth=0.7,
        linestyle="--",
    ),
]
figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), columnspacing=1.2, handletextpad=0.6)
plotting.letter_panels(axes.flat)
figure.align_ylabels(axes[:, 0])
plotting.save_figure(figure, snakemake)
figure
