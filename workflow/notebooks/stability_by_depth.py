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
# # Stability over depth
#
# $D_k$, $G_k$ and $R_k$ of the output of every operation against its relative depth: at init, trained, trained with shuffled
# input channels, and of trained maps averaged over channels. With several seeds, lines are their geometric means.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_stability_by_depth")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
stability = read_table(snakemake.input.table)
stability[["net", "state", "variant", "batch_norm", "operation", "depth", "D", "G", "R"]]

# %%
networks = list(dict.fromkeys(stability.net))
NETWORKS = 4  # beside each other
RED, BLUE = plotting.COLORS["rose"], plotting.COLORS["indigo"]
init = stability[(stability.state == "init") & (stability.batch_norm != "estimated")]
whole = stability[(stability.state == "trained") & (stability.variant == "whole")]
shuffled = stability[stability.variant == "shuffled"]
CURVES = {
    plotting.init_label(stability): (init, {"color": "0.6", "linestyle": "--"}),
    "trained": (whole, {"color": "0.1"}),
    "channels shuffled": (shuffled[shuffled.batch_norm != "kept"], {"color": RED}),
    "shuffled, batch-norm kept": (
        shuffled[shuffled.batch_norm == "kept"],
        {"color": RED, "linestyle": ":", "markerfacecolor": "white", "markeredgewidth": 0.6},
    ),
    "averaged over channels": (stability[stability.variant == "averaged"], {"color": BLUE}),
}


def draw(ax, network, quantity):
    """One quantity of a network over depth, in all its variants."""
    for rows, look in CURVES.values():
        of_net = rows[rows.net == network]
        if of_net.empty:
            continue
        columns = [quantity, f"{quantity}_low", f"{quantity}_high"]
        mean = plotting.geometric_means(of_net, columns, by="depth").sort_index()
        ax.plot(mean.index, mean[quantity], marker="o", markersize=1.8, linewidth=1, **look)
        ax.fill_between(
            mean.index, mean[f"{quantity}_low"], mean[f"{quantity}_high"], color=look["color"], alpha=0.15, linewidth=0
        )
    ax.set_yscale("log")
    ax.set_xlim(0, 1.02)


# %%
groups = plotting.in_rows(networks, NETWORKS)
figure = plt.figure(figsize=(plotting.PAGE, 0.5 + 4.2 * len(groups)))
bands = figure.subfigures(len(groups), 1, squeeze=False)[:, 0]
panels = []
for band, group in zip(bands, groups, strict=True):
    axes = band.subplots(3, len(group), sharex=True, sharey="row", squeeze=False)
    for column, network in enumerate(group):
        for ax, quantity in zip(axes[:, column], "RDG", strict=True):
            draw(ax, network, quantity)
        axes[0, column].axhline(1, color="0.3", linewidth=0.8, linestyle=":", zorder=0)
        axes[0, column].set_title(looks.label(network, 5.5 / len(group) - 0.4), loc="center")
    for ax, quantity in zip(axes[:, 0], "RDG", strict=True):
        ax.set_ylabel(plotting.MEANINGS_WITHIN[quantity].replace(" ", "\n", 1))
        plotting.log_ticks(ax.yaxis)
    band.align_ylabels(axes[:, 0])
    panels += list(axes.flat)
figure.supxlabel("relative depth", fontsize=plt.rcParams["axes.labelsize"])
handles = [
    plt.Line2D([], [], marker="o", markersize=1.8, linewidth=1, label=name, **look)
    for name, (rows, look) in CURVES.items()
    if len(rows)
]
plotting.add_legend(figure, handles, loc="outside upper center", columnspacing=1.2)
plotting.letter_panels(panels)
plotting.save_figure(figure, snakemake)
