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
# neurons read them together. Filters that are alike as they are look alike at some angle, too: rotations matter only as far as
# they explain what similarity without a turn does not.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_rotation_coupling")

# %%
import matplotlib.pyplot as plt
import numpy as np

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
summary = read_table(snakemake.input.summary)
summary

# %% [markdown]
# Points: mean over seeds. Whiskers: 95% bootstrap interval over channels; grey: 95% of correlations with shuffled channels; the
# ends of both averaged over seeds. Dots: single seeds.

# %%
pairs = read_table(snakemake.input.table)
networks = list(dict.fromkeys(summary.net))
seeds = summary.seed.nunique()
TURNED = {"quarter_turns": "best quarter turn", "interpolated": "best angle"}
CORRELATIONS = (
    ("none", "", "not turned"),
    ("quarter_turns", "", "quarter turns"),
    ("interpolated", "", "all angles"),
    ("quarter_turns", "partial_", "quarter turns, partial"),
    ("interpolated", "partial_", "all angles, partial"),
)
INIT_COLOR = "0.62"
HEIGHT = 5  # inches, of what is shown of the first network alone


def style_of(state, network):
    """Colour of a state, and where it goes beside the other."""
    return (INIT_COLOR, -0.2) if state == "init" else (looks.color(network), 0.2)


def what_is_left(values, explained_by):
    """A quantity less its linear fit to another one."""
    return values - np.polyval(np.polyfit(explained_by, values, 1), explained_by)


def draw_pairs(ax, rows, partial):
    """Coupling against similarity, init behind trained, with fitted lines; or what unrotated similarity leaves of both."""
    for (state, network), points in rows.groupby(["state", "net"], sort=False):
        color, _ = style_of(state, network)
        x, y = points.rotation_similarity, points.coupling
        if partial:
            x, y = (what_is_left(values, points.unrotated_similarity) for values in (x, y))
        opacity = float(np.clip(120 / len(points), 0.1, 0.7))
        ax.scatter(x, y, s=5, color=color, alpha=opacity, linewidth=0, rasterized=len(points) > 2000)
        slope, offset = np.polyfit(x, y, 1)
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, slope * ends + offset, color=color, linewidth=1.4)


def draw_correlation(ax, place, rows, prefix):
    """One state's correlation at a place on the y axis, over the null, with its p-value."""
    color, shift = style_of(rows.state.iloc[0], rows.net.iloc[0])
    names = ("correlation", "correlation_low", "correlation_high", "null_low", "null_high")
    value, low, high, null_low, null_high = rows[[f"{prefix}{name}" for name in names]].mean()
    y = place + shift
    ax.barh(y, null_high - null_low, 0.34, null_low, color="0.9", linewidth=0, zorder=0)
    ax.errorbar(value, y, xerr=[[value - low], [high - value]], color=color, fmt="o", markersize=3.5, elinewidth=1)
    if seeds > 1:
        ax.scatter(rows[f"{prefix}correlation"], np.full(len(rows), y), s=4, color="black", zorder=3)
    p_values = rows[f"{prefix}p_value"].quantile([0, 1])
    low, high = (np.format_float_positional(p, 2, fractional=False, trim="-") for p in p_values)
    ax.text(
        1.02,
        y,
        f"{low}" if low == high else f"{low} to {high}",
        color="0.45" if rows.state.iloc[0] == "init" else color,
        transform=ax.get_yaxis_transform(),
        va="center",
        fontsize=6,
    )


first = pairs[pairs.net == networks[0]]
first = first[first.seed == first.seed.iloc[0]]
figure = plt.figure(figsize=(plotting.PAGE, max(3.6, 0.8 + 1.4 * len(networks))))
left, right = figure.subfigures(1, 2, width_ratios=(1.7, 1.6))
height = figure.get_figheight()
left = left.subfigures(2, 1, height_ratios=(HEIGHT, height - HEIGHT))[0] if height > HEIGHT else left
scatters = left.subplots(len(TURNED), 2, sharex="col", sharey="col")
for row, (kind, turn) in zip(scatters, TURNED.items(), strict=True):
    for ax, partial in zip(row, (False, True), strict=True):
        draw_pairs(ax, first[first.rotations == kind], partial)
    for ax in row:
        ax.tick_params(labelbottom=True)
    row[0].set(xlabel=f"similarity at\n{turn}", ylabel="coupling in layer 2")
    row[1].set(xlabel=f"rest of similarity\nat {turn}", ylabel="rest of coupling")
size = first.filter_size.iloc[0]
left.suptitle(f"{looks.label(networks[0], 2)}: filters of {size} x {size} pixels", fontsize=7)

ax = right.subplots()
labels, places = [], []
place = 0
for network in networks:
    name = ax.text(0.02, place, looks.label(network), transform=ax.get_yaxis_transform(), ha="left", va="center")
    name.set_bbox({"color": "white", "pad": 1})  # over the line at 0
    for kind, prefix, label in CORRELATIONS:
        chosen = summary[(summary.net == network) & (summary.rotations == kind)].dropna(subset=f"{prefix}correlation")
        if chosen.empty:
            continue
        place += 1
        labels.append(label)
        places.append(place)
        for _, rows in chosen.groupby("state", sort=False):
            draw_correlation(ax, place, rows, prefix)
    place += 1
ax.axvline(0, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
ax.set_yticks(places, labels)
ax.tick_params(axis="y", length=0)
ax.set_ylim(place - 0.4, -0.5)
ax.set_xlabel("correlation of similarity\nwith coupling over pairs")
ax.text(1.02, 0, "$p$", transform=ax.get_yaxis_transform(), va="center")
for state, network in summary.groupby("state", sort=False).net.first().items():
    label = plotting.init_label(summary) if state == "init" else state
    color, _ = style_of(state, network)
    ax.errorbar([], [], xerr=[], color=color, fmt="o", markersize=3.5, elinewidth=1, label=label)
ax.barh(np.nan, np.nan, color="0.9", label="shuffled channels")
right.legend(loc="outside upper center", ncols=3, handletextpad=0.4, columnspacing=1.0)
plotting.letter_panels([*scatters.flat, ax])
plotting.save_figure(figure, snakemake)
