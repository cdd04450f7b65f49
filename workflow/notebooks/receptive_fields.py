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
# translation that such a rotation is there. Lines: geometric means over seeds.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_receptive_fields")

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from safetensors.numpy import load_file

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.labels import as_text
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
table = as_shown(read_table(snakemake.input.table))
alphas = as_shown(read_table(snakemake.input.summary))
table[["net", "seed", "state", "batch_norm", "layer", "size", "stride", "effective_size", "effective_x", "effective_y"]]

# %%
trainings = list(table[["net", "seed"]].drop_duplicates().itertuples(index=False, name=None))
pictures = {key: load_file(path) for key, path in zip(trainings, snakemake.input.pictures, strict=True)}
networks = list(dict.fromkeys(table.net))
LAYERS_SHOWN = 8
SCALE_BAR = 10  # pixels
STATES = {state: plotting.init_label(table) if state == "init" else state for state in dict.fromkeys(table.state)}


def draw_map(ax, row, weights):
    """An effective receptive field, scaled to its largest weight, with the theoretical one and both centres."""
    ax.imshow(weights / weights.max(), cmap="magma", vmin=0, vmax=1, interpolation="nearest")
    corner = row.centre_x - row["size"] / 2, row.centre_y - row["size"] / 2
    ax.add_patch(Rectangle(corner, row["size"], row["size"], fill=False, edgecolor="white", linewidth=0.9))
    ax.plot(row.centre_x, row.centre_y, "+", color="white", markersize=4.5, markeredgewidth=0.8)
    ax.plot(row.effective_x, row.effective_y, "x", color=plotting.COLORS["cyan"], markersize=3.5, markeredgewidth=0.9)
    edge = (-0.5, row.image_size - 0.5)
    ax.set(xticks=[], yticks=[], xlim=edge, ylim=edge[::-1])
    ax.spines[:].set_visible(False)


def draw_scale_bar(ax, image_size):
    """A bar of some pixels in the lower left corner of a map."""
    start, height = 0.05 * image_size, 0.93 * image_size - 0.5
    ax.plot([start, start + SCALE_BAR], [height, height], color="white", linewidth=1.5, solid_capstyle="butt")
    ax.text(start, height - 0.04 * image_size, f"{SCALE_BAR} px", color="white", fontsize=5.5, va="bottom")


def draw_maps(axes, network):
    """Effective receptive fields of a network's layers in each state (rows), of its first seed."""
    own = table[table.net == network]
    own = own[own.seed == own.seed.iloc[0]]
    for state, row_of_axes in zip(STATES, axes, strict=True):
        rows = own[own.state == state].set_index("layer_index")
        for ax, layer in zip(row_of_axes, plotting.spread(list(rows.index), len(row_of_axes)), strict=False):
            draw_map(ax, rows.loc[layer], pictures[network, own.seed.iloc[0]][state][layer - 1])
            if state == own.state.iloc[0]:
                ax.set_title(f"{as_text(rows.layer[layer], 0.65)}\n{rows['size'][layer]} px", fontsize="small")
        for ax in row_of_axes[len(rows) :]:
            ax.set_axis_off()
        if len(rows):
            row_of_axes[0].set_ylabel(STATES[state], fontsize="small")
            draw_scale_bar(row_of_axes[0], rows.image_size.iloc[0])
        else:  # of weights brought along nobody may have drawn an init
            for ax in row_of_axes:
                ax.set_axis_off()


def draw_sizes(ax, network):
    """Theoretical and effective size against the layer."""
    rows = table[table.net == network]
    theory = rows.groupby("layer_index")["size"].first()
    ax.plot(theory.index, theory, color="0.3", marker="s", markersize=2.6, label="theoretical")
    for state, some in rows.groupby("state", sort=False):
        columns = ["effective_size", "effective_low", "effective_high"]
        mean = plotting.geometric_means(some, columns, by="layer_index").sort_index()
        size = mean.effective_size
        color = plotting.COLORS["green"]
        ax.errorbar(
            mean.index,
            size,
            [(size - mean.effective_low).clip(lower=0), (mean.effective_high - size).clip(lower=0)],
            color=color,
            marker="o",
            markersize=2.6,
            markerfacecolor=color if state == "trained" else "white",
            linestyle=plotting.STATES[state]["linestyle"],
            elinewidth=0.6,
            label=f"effective, {STATES[state]}",
        )
    image = rows.image_size.iloc[0]
    ax.axhline(image, color="0.6", linewidth=0.8, linestyle=":")
    ax.text(theory.index[-1], image, "image", color="0.4", fontsize=6, ha="right", va="bottom")
    ax.set_yscale("log")
    plotting.log_ticks(ax.yaxis)
    ax.set(xlabel="layer", ylabel=f"{looks.label(network)}\nreceptive field (px)")
    ax.set_xticks(list(theory.index))
    ax.legend(loc="upper left", handlelength=1.6)


def draw_rotations(ax, network, state):
    """Alpha against the distance of the rotation's centre, one colour per layer."""
    rows = alphas[(alphas.net == network) & (alphas.state == state)]
    for (layer, kind), some in rows.groupby(["layer_index", "transformation"]):
        mean = plotting.geometric_means(some, ["alpha", "low", "high"], by="distance").sort_index()
        color = colors.to_rgba(layer)
        if kind == "translation":
            ax.plot(mean.index, mean.alpha, color=color, linestyle=":", linewidth=0.9)
        else:
            # The ends of a single channel's interval are its value, but for rounding
            bar = [(mean.alpha - mean.low).clip(lower=0), (mean.high - mean.alpha).clip(lower=0)]
            ax.errorbar(
                mean.index, mean.alpha, bar, color=color, marker="o", markersize=2.4, linewidth=0.9, elinewidth=0.5
            )
    ax.set_yscale("log")
    ax.set_title(STATES[state])
    ax.set_xlabel("rotation's centre from\nreceptive field's (px)")


layers = max(table.groupby("net").layer_index.max())
colors = ScalarMappable(Normalize(1, max(2, layers)), "viridis")
shown = min(LAYERS_SHOWN, layers)
marks = [
    Rectangle(
        (0, 0),
        1,
        1,
        fill=False,
        edgecolor="0.3",
        linewidth=0.9,
        label="theoretical receptive field, as far as it lies in the image",
    ),
    plt.Line2D([], [], linestyle="", marker="+", color="0.3", markersize=5, label="its centre"),
    plt.Line2D(
        [],
        [],
        linestyle="",
        marker="x",
        color=plotting.COLORS["cyan"],
        markersize=4,
        label="the effective one's centre",
    ),
]
height = 0.3 + 0.85 * len(STATES) + 2.3
figure = plt.figure(figsize=(plotting.PAGE, height * len(networks) + 0.25))
for part, network in zip(np.atleast_1d(figure.subfigures(len(networks), 1)), networks, strict=True):
    top, bottom = part.subfigures(2, 1, height_ratios=(0.3 + 0.85 * len(STATES), 2.3))
    maps = top.subplots(len(STATES), shown, squeeze=False)
    draw_maps(maps, network)
    weight = ScalarMappable(Normalize(0, 1), "magma")
    top.colorbar(weight, ax=maps, label="weight / largest", ticks=(0, 0.5, 1), aspect=12 * len(STATES), pad=0.01)
    panels = bottom.subplots(1, 1 + len(STATES), width_ratios=(1.1, *[1] * len(STATES)))
    draw_sizes(panels[0], network)
    for ax, state in zip(panels[1:], STATES, strict=True):
        draw_rotations(ax, network, state)
        ax.sharey(panels[1]) if ax is not panels[1] else ax.set_ylabel(r"neurons' stability $\alpha$")
        ax.tick_params(labelleft=ax is panels[1])
    panels[-1].autoscale()
    plotting.log_ticks(panels[1].yaxis)
    bottom.colorbar(colors, ax=panels[-1], label="layer", ticks=range(1, layers + 1))
    panels[-1].plot([], [], color="0.4", marker="o", markersize=2.4, linewidth=0.9, label="rotation")
    panels[-1].plot([], [], color="0.4", linestyle=":", linewidth=0.9, label="its translation")
    panels[-1].legend(loc="lower right")
    plotting.letter_panels([maps[0, 0], *panels])
plotting.add_legend(figure, marks, loc="outside upper center", columnspacing=1.5, handletextpad=0.5)
plotting.save_figure(figure, snakemake)
