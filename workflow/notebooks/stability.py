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
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_stability")

# %%
import matplotlib.pyplot as plt
import numpy as np

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
stability = read_table(snakemake.input.table)
stability[["net", "seed", "state", "R", "R_low", "R_high", "D", "G", "test_error"]]

# %% [markdown]
# Bars: mean over seeds. Whiskers: 95% bootstrap interval over images, its ends averaged over seeds. Dots: single seeds.

# %%
networks = list(dict.fromkeys(stability.net))
seeds = stability.seed.nunique()
bar_width = 0.38


def draw_bars(ax, quantity):
    """Bars of one quantity, init beside trained, for every network."""
    for offset, state, alpha in ((-0.5, "init", 0.4), (0.5, "trained", 1.0)):
        for place, network in enumerate(networks):
            rows = stability[(stability.net == network) & (stability.state == state)]
            value, low, high = rows[[quantity, f"{quantity}_low", f"{quantity}_high"]].mean()
            x = place + offset * bar_width
            ax.bar(x, value, bar_width, color=plotting.color_of(rows.architecture.iloc[0]), alpha=alpha, linewidth=0)
            ax.errorbar(
                x, value, [[value - low], [high - value]], color="0.15", linewidth=0.7, capsize=1.2, capthick=0.7
            )
            if seeds > 1:
                ax.scatter(np.full(len(rows), x), rows[quantity], s=4, color="black", zorder=3)
    ax.set_yscale("log")
    plotting.log_ticks(ax.yaxis)
    ax.set_ylabel(plotting.MEANINGS[quantity].replace(" ", "\n", 1))
    ax.tick_params(axis="x", length=0)


figure, axes = plt.subplots(3, 1, figsize=(plotting.COLUMN, 4.6), sharex=True, height_ratios=(1.6, 1, 1))
for ax, quantity in zip(axes, "RDG", strict=True):
    draw_bars(ax, quantity)
axes[0].axhline(1, color="0.3", linewidth=0.8, linestyle="--")
axes[0].bar(np.nan, np.nan, color="0.3", alpha=0.4, label="init")
axes[0].bar(np.nan, np.nan, color="0.3", label="trained")
axes[0].legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 1.18))
axes[-1].set_xticks(range(len(networks)), [plotting.label_of(network) for network in networks], rotation=55, ha="right")
plotting.letter_panels(axes)
figure.align_ylabels(axes)
plotting.save_figure(figure, snakemake)
figure
