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
# # Nets trained and tested on images with noise
#
# Test error against $D_f$, $G_f$ and $R_f$: one line a net, coloured by the norm of the noise on its images. With several seeds,
# points are geometric means.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_noise_training")

# %%
import matplotlib.pyplot as plt
import numpy as np

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
stability = read_table(snakemake.input.table)
noisy = stability[(stability.images == "noisy") & (stability.test_error > 0)]
stability[["net", "seed", "noise", "images", "D", "G", "R", "test_error", "train_error"]]

# %%
networks = list(dict.fromkeys(stability.net))
noises = sorted(stability.noise.unique())
shades = dict(zip(noises, plt.get_cmap("viridis")(np.linspace(0, 0.92, len(noises))), strict=True))
names = {noise: f"noise of norm {noise:g}" if noise else "no noise" for noise in noises}
shapes = {network: plotting.marker(place) for place, network in enumerate(networks)}


def draw(ax, quantity):
    """Error against a quantity: a line for each net, a colour for each noise."""
    for network in networks:
        columns = [f"{name}{end}" for name in ("test_error", quantity) for end in ("", "_low", "_high")]
        mean = plotting.geometric_means(noisy[noisy.net == network], columns, by="noise").sort_index()
        error = 100 * mean.test_error
        ax.plot(mean[quantity], error, color="0.6", linewidth=0.8, zorder=1)
        for noise in mean.index:
            low, high = mean.loc[noise, [f"{quantity}_low", f"{quantity}_high"]]
            ax.plot([low, high], [error[noise]] * 2, color=shades[noise], linewidth=0.8, zorder=2)
            ends = 100 * mean.loc[noise, ["test_error_low", "test_error_high"]]
            ax.plot([mean[quantity][noise]] * 2, ends, color=shades[noise], linewidth=0.8, zorder=2)
            ax.plot(mean[quantity][noise], error[noise], shapes[network], color=shades[noise], markersize=4.5, zorder=3)
    ax.set_xscale("log")
    ax.set_yscale("log")
    plotting.log_ticks(ax.xaxis, ax.yaxis)
    ax.set_xlabel(plotting.MEANINGS[quantity])


# %%
figure = plt.figure(figsize=(plotting.PAGE, 2.6))
axes = figure.subplots(1, 3, sharey=True)
for ax, quantity in zip(axes, "RDG", strict=True):
    draw(ax, quantity)
axes[0].set_ylabel("test error (%)")
if noisy.empty:
    plotting.explain_emptiness(axes[1], "no test error above 0")
handles = [
    plt.Line2D([], [], color="0.4", marker=shapes[net], markersize=4.5, linewidth=0.8, label=looks.label(net))
    for net in networks
]
handles += [
    plt.Line2D([], [], color=shades[noise], marker="o", linestyle="", markersize=4.5, label=name)
    for noise, name in names.items()
]
legend = plotting.add_legend(figure, handles, loc="outside upper center", columnspacing=1.2, handletextpad=0.5)
figure.set_figheight(2.4 + plotting.height_of(legend))
plotting.letter_panels(list(axes))
plotting.save_figure(figure, snakemake)
