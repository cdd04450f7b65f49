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
# # Does the second layer couple rotated copies of a filter?
#
# For every pair of first-layer filters, how alike they are once one of them is turned, against how far the second layer's
# neurons read them together. `none` does not turn them: rotations matter only as far as they do better than that.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_rotation_coupling")

# %%
import matplotlib.pyplot as plt
import numpy as np

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
summary = read_table(snakemake.input.summary)
summary

# %% [markdown]
# Points: mean over seeds. Whiskers: 95% bootstrap interval over channels; grey: 95% of correlations with shuffled channels; the
# ends of both averaged over seeds. Dots: single seeds.

# %%
pairs = read_table(snakemake.input.table)
networks = list(dict.fromkeys(summary.net))
seeds = summary.seed.nunique()
KINDS = {"none": "not turned", "quarter_turns": "quarter turns", "interpolated": "all angles"}
TURNED = {"quarter_turns": "best quarter turn", "interpolated": "best angle"}
INIT_COLOR = "0.62"


def style_of(state, architecture):
    """Colour of a state, and where it goes beside the other."""
    return (INIT_COLOR, -0.2) if state == "init" else (plotting.color_of(architecture), 0.2)


def draw_pairs(ax, rows):
    """Coupling against similarity, init behind trained, each with its fitted line."""
    for (state, architecture), points in rows.groupby(["state", "architecture"], sort=False):
        color, _ = style_of(state, architecture)
        x, y = points.rotation_similarity, points.coupling
        opacity = float(np.clip(120 / len(points), 0.1, 0.7))
        ax.scatter(x, y, s=5, color=color, alpha=opacity, linewidth=0, rasterized=len(points) > 2000)
        slope, offset = np.polyfit(x, y, 1)
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, slope * ends + offset, color=color, linewidth=1.4)


def draw_correlation(ax, place, rows):
    """One state's correlation at a place on the y axis, over the null, with its p-value."""
    color, shift = style_of(rows.state.iloc[0], rows.architecture.iloc[0])
    mean = rows[["correlation", "correlation_low", "correlation_high", "null_low", "null_high"]].mean()
    y = place + shift
    ax.barh(y, mean.null_high - mean.null_low, 0.34, mean.null_low, color="0.9", linewidth=0, zorder=0)
    bar = [[mean.correlation - mean.correlation_low], [mean.correlation_high - mean.correlation]]
    ax.errorbar(mean.correlation, y, xerr=bar, color=color, fmt="o", markersize=3.5, elinewidth=1)
    if seeds > 1:
        ax.scatter(rows.correlation, np.full(len(rows), y), s=4, color="black", zorder=3)
    low, high = (np.format_float_positional(p, 2, fractional=False, trim="-") for p in rows.p_value.quantile([0, 1]))
    ax.text(
        1.02,
        y,
        f"{low}" if low == high else f"{low} to {high}",
        color="0.45" if rows.state.iloc[0] == "init" else color,
        transform=ax.get_yaxis_transform(),
        va="center",
        fontsize=6,
    )


figure = plt.figure(figsize=(plotting.PAGE, 3.6))
left, right = figure.subfigures(1, 2, width_ratios=(0.45 + 0.6 * len(networks), 1.5))
scatters = left.subplots(len(TURNED), len(networks), sharex=True, sharey=True, squeeze=False)
for row, (kind, turn) in zip(scatters, TURNED.items(), strict=True):
    for ax, network in zip(row, networks, strict=True):
        rows = pairs[(pairs.net == network) & (pairs.rotations == kind)]
        draw_pairs(ax, rows)
        if kind == "quarter_turns":
            size = rows.filter_size.iloc[0]
            ax.set_title(f"{plotting.label_of(network)}\nfilters of {size} pixels")
        ax.set_xlabel(f"similarity at\n{turn}")
    row[0].set_ylabel("coupling in layer 2")

ax = right.subplots()
labels, places = [], []
place = 0
for network in networks:
    name = ax.text(0.02, place, plotting.label_of(network), transform=ax.get_yaxis_transform(), ha="left", va="center")
    name.set_bbox({"color": "white", "pad": 1})  # over the line at 0
    for kind, label in KINDS.items():
        place += 1
        labels.append(label)
        places.append(place)
        chosen = summary[(summary.net == network) & (summary.rotations == kind)]
        for _, rows in chosen.groupby("state", sort=False):
            draw_correlation(ax, place, rows)
    place += 1
ax.axvline(0, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
ax.set_yticks(places, labels)
ax.tick_params(axis="y", length=0)
ax.set_ylim(place - 0.4, -0.5)
ax.set_xlabel("correlation of similarity\nwith coupling over pairs")
ax.text(1.02, 0, "$p$", transform=ax.get_yaxis_transform(), va="center")
for state, architecture in summary.groupby("state", sort=False).architecture.first().items():
    ax.errorbar(
        [], [], xerr=[], color=style_of(state, architecture)[0], fmt="o", markersize=3.5, elinewidth=1, label=state
    )
ax.barh(np.nan, np.nan, color="0.9", label="shuffled channels")
right.legend(loc="outside upper center", ncols=3, handletextpad=0.4, columnspacing=1.0)
plotting.letter_panels([scatters[0, 0], ax])
plotting.save_figure(figure, snakemake)
figure
