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
# # What a displacement field is made of
#
# On a patch a field is a translation, a linear part (rotation, compression or expansion, pure shear) and a remainder. Their sizes
# over cutoff $c$ and temperature $T$, against closed forms; where small patches end; and the share of each part.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_field_decomposition")

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import LogFormatterMathtext, LogLocator, NullFormatter, NullLocator
from safetensors.numpy import load_file

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
table = read_table(snakemake.input.table)
table

# %%
pictures = load_file(snakemake.input.pictures)
cutoffs, temperatures = (list(dict.fromkeys(table[name])) for name in ("cutoff", "temperature"))
smallest = table[table.patch_size == table.patch_size.min()]
size = table.image_size[0]
LINEAR = ("rotation", "compression", "pure_shear")
PARTS = ("translation", *LINEAR)
COLORS = dict(zip(sorted(cutoffs), plt.cm.viridis(np.linspace(0, 0.9, len(cutoffs))), strict=True))
MARKERS = dict(zip(plotting.PARTS, plotting.MARKERS, strict=False))
SHIFTS = {"rotation": 0.94, "compression": 1.06}  # markers would hide each other

at_temperature = table[table.temperature == temperatures[0]]
shares = at_temperature[at_temperature.cutoff == cutoffs[0]].pivot(index="patch_size", columns="part", values="share")
shares[list(plotting.PARTS)]

# %% [markdown]
# What is no translation on a patch, in pixels: measured, in closed form, and by the formula for small patches.

# %%
without = at_temperature[at_temperature.part == "without_translation"]
without[["cutoff", "patch_size", "norm_measured", "norm_low", "norm_high", "norm_finite", "norm_formula"]]

# %% [markdown]
# Ratio of measured sizes to those of infinitely small patches.

# %%
ratios = at_temperature[at_temperature.part.isin(PARTS)].copy()
for end in ("measured", "low", "high", "finite"):
    ratios[end] = ratios[f"norm_{end}"] / ratios.norm_formula
ratios[["cutoff", "patch_size", "part", "measured", "low", "high", "finite"]]


# %%
def draw_field(ax):
    """The field over an image, every second arrow of it to scale, with the patch marked."""
    field, (row, column) = pictures["field"], pictures["corner"]
    ax.imshow(pictures["image"].mean(0), cmap="gray", vmin=-800, vmax=255, interpolation="nearest")
    step = max(1, size // 14)
    y, x = np.mgrid[step // 2 : size : step, step // 2 : size : step]
    arrows = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.006, "color": "0.35"}
    ax.quiver(x, y, field[0, y, x], field[1, y, x], **arrows)
    side = pictures["parts"].shape[-1]
    ax.add_patch(Rectangle((column - 0.5, row - 0.5), side, side, fill=False, edgecolor="black", linewidth=1.2))
    ax.set(xticks=[], yticks=[])
    ax.set_title(rf"$c = {cutoffs[0]}$, $T = {temperatures[0]:g}$", loc="right")
    ax.spines[:].set(visible=True, linewidth=0.5, color="0.6")


def draw_part(ax, displacement, color, label):
    """Displacement of every few pixels on the patch, all panels to one scale."""
    side = displacement.shape[-1]
    first = (side - 1) % step // 2
    y, x = np.mgrid[first:side:step, first:side:step]
    arrows = {
        "angles": "xy",
        "scale_units": "xy",
        "scale": 1 / magnification,
        "width": 0.018,
        "pivot": "mid",
        "headwidth": 3.5,
    }
    ax.quiver(x, y, *displacement[:, y, x], color=color, **arrows)
    ax.set(xticks=[], yticks=[], aspect="equal", xlim=(-step, side - 1 + step), ylim=(side - 1 + step, -step))
    ax.set_title(label, color="0.15")
    ax.spines[:].set(visible=True, linewidth=0.5, color="0.6")


def draw_sizes(ax, rows, against, parts):
    """Root mean square and mean of the norm, by formula and measured."""
    for part in parts:
        own = rows[rows.part == part].sort_values(against)
        color = plotting.PARTS[part][1]
        for name, style, face in (("norm", "-", color), ("mean", "--", "white")):
            ax.plot(own[against], own[f"{name}_formula"], color="0.5", linestyle=style, linewidth=0.8)
            measured = own[f"{name}_measured"]
            ax.errorbar(
                own[against] * SHIFTS.get(part, 1),
                measured,
                [measured - own[f"{name}_low"], own[f"{name}_high"] - measured],
                fmt=MARKERS[part],
                markersize=3.2,
                markeredgewidth=0.7,
                elinewidth=0.7,
                color=color,
                markerfacecolor=face,
            )
    ax.set_xscale("log")


def draw_ratios(ax, part):
    """Measured size over that of infinitely small patches, one line per cutoff, with n / c marked on top."""
    for cutoff, color in COLORS.items():
        own = ratios[(ratios.part == part) & (ratios.cutoff == cutoff)].sort_values("patch_size")
        ax.plot(own.patch_size, own.finite, color=color, linewidth=0.9)
        bars = [own.measured - own.low, own.high - own.measured]
        ax.errorbar(own.patch_size, own.measured, bars, fmt="o", markersize=2.4, elinewidth=0.7, color=color)
        ax.plot(size / cutoff, 1.06, color=color, marker="v", markersize=4, clip_on=False)
    ax.set(ylim=(0, 1.06), xlabel="patch size $k$ (pixels)")
    ax.set_title(plotting.PARTS[part][0])


def draw_without_translation(ax):
    """What is no translation on a patch, against its size, one colour per cutoff."""
    for cutoff, color in COLORS.items():
        own = without[without.cutoff == cutoff].sort_values("patch_size")
        ax.plot(own.patch_size, own.norm_formula, color=color, linewidth=0.8, linestyle="--")
        ax.plot(own.patch_size, own.norm_finite, color=color, linewidth=0.9)
        bars = [own.norm_measured - own.norm_low, own.norm_high - own.norm_measured]
        ax.errorbar(own.patch_size, own.norm_measured, bars, fmt="o", markersize=2.4, elinewidth=0.7, color=color)
    ax.set(xlabel="patch size $k$ (pixels)", ylabel=r"size of $\tau$ less its mean (pixels)")
    if len(without):
        ax.set(xscale="log", yscale="log")
        ax.set_xticks(sorted(set(without.patch_size)), [f"{k}" for k in sorted(set(without.patch_size))], minor=False)
        ax.xaxis.set_minor_locator(NullLocator())
        plotting.log_ticks(ax.yaxis)
    styles = (
        ("measured", {"marker": "o", "linestyle": "none"}),
        ("finite patches", {}),
        ("small patches", {"linestyle": "--"}),
    )
    for label, style in styles:
        ax.plot([], [], color="0.4", markersize=2.4, linewidth=0.9, label=label, **style)
    ax.legend(loc="lower right", handlelength=1.6)


def draw_shares(ax, cutoff):
    """Shares of the squared displacement, stacked; dotted, the closed form."""
    rows = at_temperature[at_temperature.cutoff == cutoff]
    measured, formula = (
        rows.pivot(index="patch_size", columns="part", values=name)[list(plotting.PARTS)].cumsum(axis=1)
        for name in ("share", "share_formula")
    )
    sizes = np.array(measured.index, dtype=float)
    if len(sizes) == 1:  # an area needs two ends
        sizes, measured, formula = sizes[0] + np.array([-0.5, 0.5]), *(pd.concat((s, s)) for s in (measured, formula))
    below = np.zeros(len(sizes))
    for part, (_, color) in plotting.PARTS.items():
        ax.fill_between(sizes, 100 * below, 100 * measured[part], color=color, linewidth=0)
        below = measured[part]
    ax.plot(sizes, 100 * formula.iloc[:, :-1], color="black", linestyle=":", linewidth=0.8)
    ax.margins(x=0)
    ax.set(ylim=(0, 100), xlabel="patch size $k$ (pixels)")
    ax.set_title(f"$c = {cutoff}$")


parts = pictures["parts"]
energies = (parts**2).sum((1, 2, 3))
longest = max(np.hypot(*displacement).max() for displacement in (*parts, parts.sum(0)))
step = max(1, (parts.shape[-1] + 1) // 5)
magnification = float(f"{2 * step / longest:.1g}")  # the longest arrow reaches the next but one

figure = plt.figure(figsize=(plotting.PAGE, 8.4))
top, bottom = figure.subfigures(2, 1, height_ratios=(2.35, 6.05))
top_left, top_right = top.subfigures(1, 2, width_ratios=(1, 1.55))
field_ax = top_left.subplots()
draw_field(field_ax)
panels = top_right.subplots(2, 3).flat
draw_part(panels[0], parts.sum(0), "black", "patch")
for ax, part, displacement, energy in zip(panels[1:], plotting.PARTS, parts, energies, strict=True):
    label, color = plotting.PARTS[part]
    draw_part(ax, displacement, color, f"{label} {energy / energies.sum():.0%}")
top_right.supxlabel(rf"arrows {magnification:g} times as long as displacements", fontsize="small")

panel = bottom.subplot_mosaic("cdef;ghij;kklm")
axes = [panel[letter] for letter in "cdef"]
for column, against, rows in (
    (0, "cutoff", smallest[smallest.temperature == temperatures[0]]),
    (1, "temperature", smallest[smallest.cutoff == cutoffs[0]]),
):
    for ax, shown in ((axes[column], ["translation"]), (axes[column + 2], LINEAR)):
        draw_sizes(ax, rows, against, shown)
        if against == "cutoff":
            ax.set_xlabel("cutoff $c$")
            ax.set_xticks(sorted(cutoffs)[:: (len(cutoffs) + 5) // 6], minor=False)
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_locator(NullLocator())
        else:
            ax.set_xlabel("temperature $T$")
            limits = rows[["temperature_min", "temperature_max"]].iloc[0]
            ax.axvspan(*limits, color=plotting.PERTURBATIONS["deformation"], alpha=0.12, linewidth=0, zorder=0)
            ax.xaxis.set_major_locator(LogLocator(numticks=5))
            ax.xaxis.set_major_formatter(LogFormatterMathtext())
            ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_yscale("log")
        plotting.log_ticks(ax.yaxis)
for ax in axes[:2]:
    ax.set_ylabel("translation (pixels)")
for ax in axes[2:]:
    ax.set_ylabel("parts of $U$ (pixels / pixel)")
for ax, part in zip((panel[letter] for letter in "ghij"), PARTS, strict=True):
    draw_ratios(ax, part)
    ax.tick_params(labelleft=part == PARTS[0])
panel["g"].set_ylabel("measured / small-patch limit")
draw_without_translation(panel["k"])
by_cutoff = [plt.Line2D([], [], color=color, marker="o", markersize=2.4, label=f"{c}") for c, color in COLORS.items()]
panel["g"].legend(
    handles=by_cutoff,
    title="cutoff $c$, g to k",
    title_fontsize="small",
    loc="lower left",
    ncols=3,
    columnspacing=0.8,
    handlelength=1.2,
    handletextpad=0.3,
)
farthest = max(cutoffs, key=lambda cutoff: abs(np.log(cutoff / cutoffs[0])))
for letter, cutoff in zip("lm", dict.fromkeys((cutoffs[0], farthest)), strict=False):
    draw_shares(panel[letter], cutoff)
if len(cutoffs) == 1:
    panel["m"].set_axis_off()
panel["l"].set_ylabel(r"share of $|\tau|^2$ (%)")
handles = [
    plt.Line2D([], [], color=color, marker=MARKERS[part], markersize=3.5, linestyle="", label=label)
    for part, (label, color) in list(plotting.PARTS.items())[:-1]
]
handles.append(Patch(color=plotting.PARTS["remainder"][1], label=plotting.PARTS["remainder"][0]))
for name, style, face in (("root mean square", "-", "0.5"), ("mean of the norm", "--", "white")):
    look = {"linewidth": 0.8, "marker": "o", "markersize": 3.2, "markerfacecolor": face, "markeredgewidth": 0.7}
    handles.append(plt.Line2D([], [], color="0.5", linestyle=style, label=name, **look))
figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), columnspacing=1.0, handletextpad=0.4)
plotting.letter_panels([field_ax, panels[0], *(ax for ax in panel.values() if ax.axison)])
plotting.save_figure(figure, snakemake)
