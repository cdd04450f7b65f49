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
# # Receptive fields, and rotations about another centre
#
# Above: which pixels move the neurons in the middle of each layer (mean squared gradient), with the theoretical receptive field.
# Below: sizes, and how much neurons move under a rotation about a point away from their receptive field's centre, beside the
# translation that such a rotation is there. Lines: means over seeds.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_receptive_fields")

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from safetensors.numpy import load_file

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
table = read_table(snakemake.input.table)
alphas = read_table(snakemake.input.summary)
table[["net", "seed", "state", "layer", "size", "stride", "effective_size", "effective_x", "effective_y"]]

# %%
trainings = list(table[["net", "seed"]].drop_duplicates().itertuples(index=False, name=None))
pictures = {key: load_file(path) for key, path in zip(trainings, snakemake.input.pictures, strict=True)}
networks = list(dict.fromkeys(table.net))
LAYERS_SHOWN = 8


def draw_maps(axes, network):
    """Effective receptive fields of the trained network's layers, its first seed, each scaled to its largest weight."""
    seed = table[table.net == network].seed.iloc[0]
    rows = table[(table.net == network) & (table.seed == seed) & (table.state == "trained")].set_index("layer_index")
    for ax, layer in zip(axes, plotting.spread(list(rows.index), len(axes)), strict=False):
        row = rows.loc[layer]
        weights = pictures[network, seed]["trained"][layer - 1]
        ax.imshow(weights / weights.max(), cmap="magma", vmin=0, vmax=1, interpolation="nearest")
        corner = row.centre_x - row["size"] / 2, row.centre_y - row["size"] / 2
        ax.add_patch(Rectangle(corner, row["size"], row["size"], fill=False, edgecolor="white", linewidth=0.9))
        ax.plot(row.centre_x, row.centre_y, "+", color="white", markersize=4, markeredgewidth=0.8)
        edge = (-0.5, row.image_size - 0.5)
        ax.set(xticks=[], yticks=[], xlim=edge, ylim=edge[::-1])
        ax.set_title(f"{row.layer}: {row['size']} px", fontsize="small")
        ax.spines[:].set_visible(False)
    for ax in axes[len(rows) :]:
        ax.set_axis_off()


def draw_sizes(ax, network):
    """Theoretical and effective size against the layer."""
    rows = table[table.net == network]
    theory = rows.groupby("layer_index")["size"].first()
    ax.plot(theory.index, theory, color="0.3", marker="s", markersize=2.6, label="theoretical")
    for state, some in rows.groupby("state", sort=False):
        mean = some.groupby("layer_index")[["effective_size", "effective_low", "effective_high"]].mean()
        size = mean.effective_size
        color = plotting.COLORS["green"]
        ax.errorbar(
            mean.index,
            size,
            [size - mean.effective_low, mean.effective_high - size],
            color=color,
            marker="o",
            markersize=2.6,
            markerfacecolor=color if state == "trained" else "white",
            linestyle=plotting.STATES[state]["linestyle"],
            elinewidth=0.6,
            label=f"effective, {state}",
        )
    image = rows.image_size.iloc[0]
    ax.axhline(image, color="0.6", linewidth=0.8, linestyle=":")
    ax.text(theory.index[-1], image, "image", color="0.4", fontsize=6, ha="right", va="bottom")
    ax.set_yscale("log")
    plotting.log_ticks(ax.yaxis)
    ax.set(xlabel="layer", ylabel=f"{plotting.label_of(network)}\nreceptive field (px)")
    ax.set_xticks(list(theory.index))
    ax.legend(loc="upper left", handlelength=1.6)


def draw_rotations(ax, network, state):
    """Alpha against the distance of the rotation's centre, one colour per layer."""
    rows = alphas[(alphas.net == network) & (alphas.state == state)]
    for (layer, kind), some in rows.groupby(["layer_index", "transformation"]):
        mean = some.groupby("distance")[["alpha", "low", "high"]].mean()
        color = colors.to_rgba(layer)
        if kind == "translation":
            ax.plot(mean.index, mean.alpha, color=color, linestyle=":", linewidth=0.9)
        else:
            bar = [mean.alpha - mean.low, mean.high - mean.alpha]
            ax.errorbar(
                mean.index, mean.alpha, bar, color=color, marker="o", markersize=2.4, linewidth=0.9, elinewidth=0.5
            )
    ax.set_yscale("log")
    ax.set_title(state)
    ax.set_xlabel("rotation's centre from\nreceptive field's (px)")


layers = max(table.groupby("net").layer_index.max())
colors = ScalarMappable(Normalize(1, max(2, layers)), "viridis")
shown = min(LAYERS_SHOWN, layers)
figure = plt.figure(figsize=(plotting.PAGE, 3.3 * len(networks) + 0.1))
for part, network in zip(np.atleast_1d(figure.subfigures(len(networks), 1)), networks, strict=True):
    top, bottom = part.subfigures(2, 1, height_ratios=(1.1, 2.1))
    maps = top.subplots(1, shown, squeeze=False)[0]
    draw_maps(maps, network)
    panels = bottom.subplots(1, 3, width_ratios=(1.1, 1, 1))
    draw_sizes(panels[0], network)
    for ax, state in zip(panels[1:], ("init", "trained"), strict=True):
        draw_rotations(ax, network, state)
    panels[2].sharey(panels[1])
    panels[2].tick_params(labelleft=False)
    panels[1].set_ylabel(r"neurons' stability $\alpha$")
    panels[2].autoscale()
    plotting.log_ticks(panels[1].yaxis)
    bar = bottom.colorbar(colors, ax=panels[2], label="layer", ticks=range(1, layers + 1))
    panels[2].plot([], [], color="0.4", marker="o", markersize=2.4, linewidth=0.9, label="rotation")
    panels[2].plot([], [], color="0.4", linestyle=":", linewidth=0.9, label="its translation")
    panels[2].legend(loc="lower right")
    plotting.letter_panels([maps[0], *panels])
plotting.save_figure(figure, snakemake)
figure
