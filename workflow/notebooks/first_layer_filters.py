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
# # First-layer filters and Gabor functions
#
# A Gabor function, a wave under a Gaussian, has eight parameters and fits part of any filter. The same fit on untrained
# filters is the null. Smooth filters are fitted better whatever their shape: random mixtures of the trained filters, as
# smooth and of no shape of their own, are a second one.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_first_layer_filters")

# %%
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.patches import Rectangle
from safetensors.numpy import load_file

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
table = read_table(snakemake.input.table)
summary = read_table(snakemake.input.summary)
summary

# %%
trainings = list(table[["net", "train_size", "seed"]].drop_duplicates().itertuples(index=False, name=None))
pictures = {key: load_file(path) for key, path in zip(trainings, snakemake.input.pictures, strict=True)}
sizes = sorted(set(table.train_size))
networks = list(dict.fromkeys(table.net))
first_network, first_seed = networks[0], table.seed.iloc[0]
green, purple = plotting.COLORS["green"], plotting.COLORS["rose"]
colors = {"init": "0.5", "trained": green, "mixture": purple}
states = ["init", "trained", "mixture"]
pairs = list(
    table.dropna(subset="gabor_r2")[["net", "train_size"]].drop_duplicates().itertuples(index=False, name=None)
)
pairs = [(network, size) for network in networks for size in sizes if (network, size) in pairs]
crowded = len(pairs) > 4
names = {"init": "untrained", "trained": "trained", "mixture": "mixture"}

# %% [markdown]
# Filters in order of $R^2$, evenly from the best fitted to the worst; below each its fit, on the same scale.

# %%
SHOWN, GAP = 15, 1
BESIDE = 12  # trainings whose filters are compared beside each other


def draw_filters(ax, state, size):
    """A row of filters, each scaled to its largest weight, above a row of their fits."""
    drawn = pictures[first_network, size, first_seed]
    filters, fits = drawn[f"{state}/filters"], drawn[f"{state}/fits"]
    place = (table.net == first_network) & (table.seed == first_seed)
    rows = table[place & (table.train_size == size) & (table.state == state)]
    order = rows.sort_values("gabor_r2", ascending=False, kind="stable").channel.to_numpy()
    order = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int)]
    side = filters.shape[-1]
    step = side + GAP
    for column, channel in enumerate(order):
        largest = max(np.abs(filters[channel]).max(), np.finfo(np.float32).tiny)
        for row, weights in enumerate((filters[channel], fits[channel])):
            left, top = column * step, row * step
            image = ax.imshow(
                weights / largest,
                extent=(left, left + side, top + side, top),
                cmap="RdBu_r",
                vmin=-1,
                vmax=1,
                interpolation="nearest",
            )
            ax.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor="0.7", linewidth=0.4))
    goodness = rows.set_index("channel").gabor_r2[order]
    ax.set(xlim=(-0.2, SHOWN * step), ylim=(2 * step - GAP + 0.2, -0.2), anchor="NW")
    ax.set_xticks(np.arange(len(order)) * step + side / 2, [f"{value:.2f}" for value in goodness])
    ax.set_yticks([side / 2, step + side / 2], ["mixture" if state == "mixture" else "filter", "fit"])
    ax.tick_params(length=0, pad=1.5)
    ax.spines[:].set_visible(False)
    return image


def draw_spectrum(ax, state, size, largest):
    """Mean power spectrum of all filters, each of total power 1."""
    spectrum = mean_spectrum(state, size)
    edges = (-0.5, 0.5, 0.5, -0.5)
    image = ax.imshow(100 * spectrum, extent=edges, cmap="magma", vmin=0, vmax=largest, interpolation="nearest")
    ticks = ["\u22120.5", "0", "0.5"]
    ax.set_xticks([-0.5, 0, 0.5], ticks)
    ax.set_yticks([-0.5, 0, 0.5], ticks)
    return image


def mean_spectrum(state, size):
    """Share of each Fourier mode in a filter's power, averaged over filters, ``(k, k)``."""
    spectra = pictures[first_network, size, first_seed][f"{state}/spectra"].astype(float)
    total = spectra.sum((1, 2), keepdims=True)
    return (spectra / np.where(total > 0, total, 1)).mean(0)


def probability(p):
    """A p-value as it stands in the figure; the largest one of several seeds."""
    relation = "=" if len(p) == 1 else r"\leq"
    return "$p < 0.001$" if p.max() < 0.001 else f"$p {relation} {p.max():.2g}$"


def draw_box(ax, x, values, color, generator):
    """Quartiles, and every filter as a dot; the median above."""
    sns.boxplot(
        x=np.full(len(values), x),
        y=values,
        ax=ax,
        native_scale=True,
        width=0.22,
        fill=False,
        showfliers=False,
        color="0.3",
        linewidth=0.7,
        medianprops={"color": color, "linewidth": 1.8},
    )
    ax.scatter(x + generator.uniform(-0.07, 0.07, len(values)), values, s=5, color=color, alpha=0.6, linewidth=0)
    if not crowded:
        above = (x, values.max())
        ax.annotate(f"{np.median(values):.2f}", above, (0, 3), textcoords="offset points", ha="center", fontsize=6)


def draw_training(ax, place, network, size, generator):
    """R^2 of the filters of one training, untrained, trained, and mixtures of the trained ones, with p-values above."""
    rows = table[(table.net == network) & (table.train_size == size)].dropna(subset="gabor_r2")
    for offset, state in ((-0.3, "init"), (0, "trained"), (0.3, "mixture")):
        values = rows[rows.state == state].gabor_r2.to_numpy()
        if len(values):
            draw_box(ax, place + offset, values, colors[state], generator)
    own = summary[(summary.net == network) & (summary.train_size == size)]
    for offset, null in ((-0.3, "p_value"), (0.3, "p_value_mixture")):
        values = own[null].dropna()
        if len(values):
            above = (place + offset, 1.03)
            ax.annotate(probability(values), above, ha="center", fontsize=6, rotation=90 if crowded else 0)


def draw_distributions(ax, some):
    """R^2 of all filters of some networks and numbers of training images."""
    generator = np.random.default_rng(0)
    ticks = []
    for place, (network, size) in enumerate(some):
        draw_training(ax, place, network, size, generator)
        name = looks.label(network, 1.5 if crowded else 3.8 / len(some))
        label = f"{size:,} training images"
        ticks.append(label if len(networks) == 1 else f"{name}\n{label}")
    ax.set_xticks(range(len(ticks)), ticks, rotation=50 if crowded else 0, ha="right" if crowded else "center")
    # Above 1 there is room for p-values; filters that are little but their mean have fits far below 0
    lowest = max(-0.25, min(0, table.gabor_r2.min()))
    ax.set(xlim=(-0.6, len(ticks) - 0.4), ylim=(lowest, 1.5 if crowded else 1.2), ylabel="$R^2$ of the Gabor fit")
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.tick_params(axis="x", length=0)
    for state in states:
        label = "mixtures of trained" if state == "mixture" else names[state]
        ax.plot([], [], color=colors[state], linewidth=1.8, label=label)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, handlelength=1.2, columnspacing=1)


def draw_shapes(ax):
    """Frequency and orientation of the fits, at most training images."""
    for state in states:
        rows = table[(table.net == first_network) & (table.state == state) & (table.train_size == sizes[-1])]
        ax.scatter(
            np.degrees(rows.orientation),
            rows.frequency,
            s=7,
            color=colors[state],
            marker={"init": "o", "trained": "s", "mixture": "^"}[state],
            alpha=0.8,
            linewidth=0,
            label=names[state],
        )
    ax.set(
        xlim=(-4, 184),
        ylim=(0, 0.52),
        xticks=[0, 45, 90, 135, 180],
        xlabel="orientation of the wave (degrees)",
        ylabel="frequency (cycles per pixel)",
    )
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, handletextpad=0, columnspacing=0.6)


shown = [
    ("init", sizes[-1]),
    *(("trained", size) for size in sorted({sizes[0], sizes[-1]})),
    ("mixture", sizes[-1]),
]
groups = plotting.in_rows(pairs, BESIDE)
heights = 0.92 * len(shown) + 0.45, 2.3 + (3.3 * len(groups) if crowded else 0)
figure = plt.figure(figsize=(plotting.PAGE, sum(heights)))
above, below = figure.subfigures(2, 1, height_ratios=heights)
above.suptitle(looks.label(first_network), fontsize=plt.rcParams["axes.titlesize"])
axes = above.subplots(len(shown), 2, width_ratios=(6.4, 1), squeeze=False)
largest = 100 * max(mean_spectrum(state, size).max() for state, size in shown)
for (left, right), (state, size) in zip(axes, shown, strict=True):
    image = draw_filters(left, state, size)
    spectrum = draw_spectrum(right, state, size, largest)
    label = names[state] if state == "init" else f"{names[state]},\n{size:,} images"
    left.set_ylabel(label, fontsize=7)
    right.set_ylabel("cycles\nper pixel", fontsize=7)
    if right is not axes[-1, 1]:
        right.set_xticklabels([])
axes[-1, 0].set_xlabel("$R^2$ of the Gabor fit to the filter above")
axes[-1, 1].set_xlabel("cycles per pixel", fontsize=7)
above.align_ylabels(axes[:, 0])
above.colorbar(
    image, ax=axes[:, 0], location="bottom", shrink=0.4, aspect=40, ticks=[-1, 0, 1], label="weight / largest weight"
)
above.colorbar(spectrum, ax=axes[:, 1], location="bottom", aspect=14, label="power (%)")
if crowded:
    *distributions, shapes = below.subplots(len(groups) + 1, 1, height_ratios=[*[3.3] * len(groups), 2.3])
else:
    *distributions, shapes = below.subplots(1, 2, width_ratios=(1.7, 1))
for ax, some in zip(distributions, groups, strict=True):
    draw_distributions(ax, some)
draw_shapes(shapes)
plotting.letter_panels([axes[0, 0], axes[0, 1], distributions[0], shapes])
plotting.save_figure(figure, snakemake)
