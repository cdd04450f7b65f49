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
# # Relative stability at init and trained
#
# $R_f = D_f / G_f$ below 1 says that a network is more stable to smooth deformations than to noise of the same norm.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_stability")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
stability = as_shown(read_table(snakemake.input.table))
stability[["net", "seed", "state", "batch_norm", "R", "R_low", "R_high", "D", "G", "test_error"]]

# %% [markdown]
# Open: init. Filled: trained. Geometric means over seeds, with the 95% bootstrap interval over images, its ends averaged over
# seeds; small dots are single seeds.

# %%
networks = list(dict.fromkeys(stability.net))
several_seeds = stability.seed.nunique() > 1


def draw_network(ax, quantity, place, network):
    """One quantity of one network at init and trained, joined by a line."""
    rows = stability[stability.net == network]
    color = looks.color(network)
    means = plotting.geometric_means(rows, [quantity, f"{quantity}_low", f"{quantity}_high"], by="state")
    ax.plot(means[quantity], [place] * len(means), color=color, linewidth=1.2, alpha=0.6, zorder=1)
    for state, (value, low, high) in means.iterrows():
        face = "white" if state == "init" else color
        ax.errorbar(value, place, xerr=[[value - low], [high - value]], color=color, linewidth=0.7, zorder=2)
        ax.plot(value, place, marker="o", color=color, markerfacecolor=face, markersize=4, markeredgewidth=1, zorder=3)
        if several_seeds:
            seeds = rows[rows.state == state][quantity]
            ax.plot(seeds, [place] * len(seeds), ".", color="0.15", markersize=2, zorder=4)


figure, axes = plt.subplots(
    1, 3, figsize=(plotting.PAGE, 0.75 + 0.17 * len(networks)), sharey=True, width_ratios=(1.5, 1, 1)
)
for ax, quantity in zip(axes, "RDG", strict=True):
    for place, network in enumerate(networks):
        draw_network(ax, quantity, place, network)
    ax.set_xscale("log")
    plotting.log_ticks(ax.xaxis)
    ax.set_xlabel(plotting.MEANINGS[quantity])
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", linewidth=0.4, color="0.9")
    ax.set_axisbelow(True)
axes[0].axvline(1, color="0.3", linewidth=0.8, linestyle="--")
axes[0].set_yticks(range(len(networks)), [looks.label(network) for network in networks])
axes[0].set_ylim(len(networks) - 0.4, -0.6)
handles = [
    plt.Line2D([], [], color="0.3", linestyle="", marker="o", markersize=4, markerfacecolor=face, label=label)
    for state, label, face in (("init", plotting.init_label(stability), "white"), ("trained", "trained", "0.3"))
    if (stability.state == state).any()
]
figure.legend(handles=handles, loc="outside upper right", ncols=2)
plotting.letter_panels(axes)
plotting.save_figure(figure, snakemake)
