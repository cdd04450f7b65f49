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
# # Do filters learn to pool?
#
# $c_{t,\lambda} = \langle (w_t \cdot \Psi_\lambda)^2 \rangle$, over a layer's filters, along the eigenvectors of the graph
# Laplacian on the filters' grid: the eigenvalue $\lambda$ grows from the constant to the chequerboard. Lines:
# geometric means over seeds; intervals are bootstrapped over output channels, their ends averaged over seeds likewise.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_laplacian_spectra")

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator, NullLocator

from diffeo_stability import laplacian_eigenspaces
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.labels import as_text
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
table = read_table(snakemake.input.table)
final = table[table.epoch == table.groupby(["net", "seed"]).epoch.transform("max")]
by_layer = ["net", "layer_index", "layer", "eigenvalue"]
final = plotting.geometric_means(final, ["ratio", "ratio_low", "ratio_high"], by=by_layer).reset_index()
final

# %%
networks = list(dict.fromkeys(table.net))
colors = ScalarMappable(Normalize(0, table.eigenvalue.max()), "viridis")
many = len(networks) > 3
LAYERS_SHOWN = 8
VECTORS_SHOWN = 9
NETWORKS = 8  # beside each other


def ratio_axis(ax, network):
    """A logarithmic axis for what is drawn; within a decade, powers of 10 would be too few ticks."""
    if table[table.net == network].ratio.isna().all():
        ax.text(0.5, 0.6, "no init", transform=ax.transAxes, ha="center", fontsize="small")
    ax.axhline(1, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    if high / low > 10:
        plotting.log_ticks(ax.yaxis)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(NullLocator())


def draw_eigenvector(ax, value, vector):
    """An eigenvector, framed in its eigenvalue's colour."""
    limit = abs(vector).max()
    ax.imshow(vector, cmap="RdBu_r", vmin=-1.3 * limit, vmax=1.3 * limit)
    ax.set(xticks=[], yticks=[], xlabel=f"{value:.2g}")
    for spine in ax.spines.values():
        spine.set(visible=True, color=colors.to_rgba(value), linewidth=1.8)


def draw_course(ax, rows):
    """Ratio of every eigenspace over the epochs of one layer."""
    means = plotting.geometric_means(rows, ["ratio"], by=["eigenvalue", "epoch"]).ratio.sort_index()
    thin = means.index.levels[0].size > VECTORS_SHOWN
    for value, course in means.groupby("eigenvalue"):
        line = course.droplevel("eigenvalue")
        ax.plot(
            line.index, line, color=colors.to_rgba(value), marker="o", markersize=1.5, linewidth=0.6 if thin else 1.1
        )
    ax.set_xscale("symlog", linthresh=1, linscale=0.4)
    ax.set_xlim(-0.2, 1.3 * table.epoch.max())
    last = table.epoch.max()
    powers = 10 ** np.arange(np.ceil(np.log10(last + 1)))
    between = (1,) if last >= 100 else (1, 3) if last > 20 else (1, 2, 5)
    steps = np.outer(powers, between).ravel()
    ax.set_xticks([0, *steps[steps <= last]])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())


def draw_final(ax, network):
    """Ratio of the smoothest and of the roughest component after training, for each layer."""
    rows = final[final.net == network]
    edges = rows.groupby("layer_index").eigenvalue.agg(["min", "max"])
    for name, marker, shift in (("min", "o", -0.1), ("max", "s", 0.1)):
        for layer, value in edges[name].items():
            row = rows[(rows.layer_index == layer) & (rows.eigenvalue == value)].iloc[0]
            bar = [[row.ratio - row.ratio_low], [row.ratio_high - row.ratio]]
            ax.errorbar(
                layer + shift, row.ratio, bar, color=colors.to_rgba(value), fmt=marker, markersize=3, elinewidth=0.9
            )
    label = looks.label(network, 0.8 if many else 1.2)
    ax.set_title("" if many else label)
    ax.set_xlabel(f"layer of\n{label}" if many else "layer", fontsize=6 if many else None)
    of_two_digits = len(edges) > 9
    ax.set_xticks(plotting.spread(list(edges.index), 3 if many else 5 if of_two_digits else LAYERS_SHOWN))


sizes = table.filter_size.mode()[0]
vectors = [(value, vector.numpy()) for value, basis in laplacian_eigenspaces(int(sizes)) for vector in basis]
vectors = plotting.spread(vectors, VECTORS_SHOWN)
course_height = 1.3 * len(networks)
groups = plotting.in_rows(networks, NETWORKS)
heights = (1.6, 0.2 + 1.7 * len(groups), course_height) if many else (1.9, course_height)
figure = plt.figure(figsize=(plotting.PAGE, sum(heights) + 0.1))
*tops, bottom = figure.subfigures(len(heights), 1, height_ratios=heights)
top_left, top_right = tops if many else tops[0].subfigures(1, 2, width_ratios=(1, 1.15))
rows = 1 if many else 2
columns = -(-len(vectors) // rows)
grid = top_left.add_gridspec(rows + 1, columns, height_ratios=(*[1] * rows, 0.1))
images = [top_left.add_subplot(grid[divmod(place, columns)]) for place in range(len(vectors))]
for ax, (value, vector) in zip(images, vectors, strict=True):
    draw_eigenvector(ax, value, vector)
bar = top_left.add_subplot(grid[rows, :])
top_left.colorbar(colors, cax=bar, orientation="horizontal", label=r"eigenvalue $\lambda$")

finals = top_right.subplots(len(groups), len(groups[0]), sharey=True, squeeze=False)
for ax, network in zip(finals.flat, networks, strict=False):
    draw_final(ax, network)
    ratio_axis(ax, network)
for ax in finals.flat[len(networks) :]:
    ax.set_axis_off()
for ax in finals[:, 0]:
    ax.set_ylabel(r"$c_{t,\lambda}\,/\,c_{0,\lambda}$ after training")
handles = [
    plt.Line2D([], [], color="0.4", linestyle="", marker=marker, markersize=3, label=label)
    for marker, label in (("o", "smoothest"), ("s", "roughest"))
]
top_right.legend(handles=handles, loc="outside upper right", ncols=2, handletextpad=0.2, columnspacing=1)

names = {network: list(dict.fromkeys(table[table.net == network].layer)) for network in networks}
columns = min(LAYERS_SHOWN, max(map(len, names.values())))
courses = bottom.subplots(len(networks), columns, sharex=True, sharey="row", squeeze=False)
for row, network in zip(courses, networks, strict=True):
    shown = plotting.spread(names[network], columns)
    for ax, layer in zip(row, shown, strict=False):
        draw_course(ax, table[(table.net == network) & (table.layer == layer)])
        ratio_axis(ax, network)
        # The long names of layers inside blocks would run into each other
        title = layer if "." not in layer else f"layer {names[network].index(layer) + 1}"
        title = as_text(title, 5.5 / columns)
        ax.text(0.5, 1.0, title, transform=ax.transAxes, ha="center", va="bottom", fontsize="small")
    for ax in row[len(shown) :]:
        ax.set_axis_off()
    row[0].set_ylabel(looks.label(network, 1.0) + "\n" + r"$c_{t,\lambda}\,/\,c_{0,\lambda}$")
bottom.supxlabel("epoch $t$", fontsize=plt.rcParams["axes.labelsize"])
plotting.letter_panels([images[0], finals[0, 0], courses[0, 0]])
plotting.save_figure(figure, snakemake)
