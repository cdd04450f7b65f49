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
# # Nets with constant filters
#
# One-dimensional nets that only average, on inputs of one active pixel: a shift by one pixel against noise of the same norm,
# after every layer, with the theory's power laws; and where a bias keeps such a net linear.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_constant_filters")

# %%
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
table = read_table(snakemake.input.table)
summary = read_table(snakemake.input.summary)
columns = ["stride", "length", "rectified", "quantity", "first_layer", "last_layer", "exponent", "exponent_law"]
summary.loc[summary.against == "depth", columns]

# %% [markdown]
# Where G / r^2 of the nets with biases leaves its level.

# %%
summary.loc[summary.against == "norm", ["bias", "level", "r_linear"]]

# %%
depth, norms = table[table.against == "depth"], table[table.against == "norm"]
strides = list(dict.fromkeys(depth.stride))
SHIFT, NOISE = plotting.PERTURBATIONS["deformation"], plotting.PERTURBATIONS["noise"]
QUANTITIES = {  # what each looks like
    "shift": ("o", SHIFT),
    "noise": ("s", NOISE),
    "between": ("^", "0.35"),
    "D": ("o", SHIFT),
    "G": ("s", NOISE),
    "R": ("D", plotting.COLORS["indigo"]),
}
RECTIFIED = {  # label, marker, colour of its edge and of its face
    "everywhere": ("noisy inputs and layers", "s", NOISE, NOISE),
    "layers": ("layers alone", "o", NOISE, "white"),
    "nowhere": ("nothing", "v", "0.5", "0.75"),
}
LAW = {"linewidth": 0.9, "linestyle": "--"}
FLUCTUATIONS = {"linewidth": 0.9, "linestyle": ":"}
SHORT = {"linewidth": 0.7, "alpha": 0.7}


def rows_of(stride, rectified="everywhere", *, longest=True):
    """Rows of a net with the longest inputs, or with the shortest."""
    rows = depth[(depth.stride == stride) & (depth.rectified == rectified)]
    return rows[rows.length == (rows.length.max() if longest else rows.length.min())]


def draw_points(ax, rows, quantity, **look):
    """A quantity with its interval over draws of noise, in every layer or, of many, in some, spaced as the axis is."""
    last = rows.layer_index.max()
    rows = rows[rows.layer_index.isin(np.geomspace(1, last, 14).round()) | (last < 14)]
    value = rows[quantity]
    bars = [value - rows[f"{quantity}_low"], rows[f"{quantity}_high"] - value]
    ax.errorbar(
        rows.layer_index, value, bars, linestyle="", elinewidth=0.7, markersize=2.8, markeredgewidth=0.7, **look
    )


def draw_quantities(ax, stride, quantities):
    """Some quantities against depth: with the longest inputs (filled), the shortest (small), and by the theory (dashed)."""
    rows, short = rows_of(stride), rows_of(stride, longest=False)
    for quantity in quantities:
        marker, color = QUANTITIES[quantity]
        ax.plot(rows.layer_index, rows[f"{quantity}_law"], color=color, **LAW)
        if len(set(depth.length[depth.stride == stride])) > 1:
            ax.plot(short.layer_index, short[quantity], color=color, **SHORT)
        draw_points(ax, rows, quantity, color=color, marker=marker)


def draw_rectification(ax, stride):
    """G against depth by what is rectified, with the law and what fluctuations add to it."""
    rows = rows_of(stride)
    ax.plot(rows.layer_index, rows.G_law, color=NOISE, **LAW)
    ax.plot(rows.layer_index, rows.G_with_fluctuations, color=NOISE, **FLUCTUATIONS)
    for rectified, (_, marker, color, face) in RECTIFIED.items():
        draw_points(ax, rows_of(stride, rectified), "G", color=color, marker=marker, markerfacecolor=face)


def draw_norms(ax):
    """G / r^2 against the norm of noise, one line per bias, with a mark where it leaves its level."""
    biases = list(dict.fromkeys(norms.bias))
    for bias, color in zip(biases, plt.cm.viridis(np.linspace(0, 0.9, len(biases))), strict=True):
        own = norms[norms.bias == bias]
        square = own.r**2
        ax.fill_between(own.r, own.G_low / square, own.G_high / square, color=color, alpha=0.2, linewidth=0)
        ax.plot(own.r, own.G / square, color=color, linewidth=1.1, label=f"{bias:g}")
        regime = summary[(summary.against == "norm") & (summary.bias == bias)].iloc[0]
        there = np.interp(np.log(regime.r_linear), np.log(own.r), own.G / square)
        ax.plot(regime.r_linear, there, color=color, marker="|", markersize=8, markeredgewidth=1.3)
    ax.set(xscale="log", xlabel="norm of the noise $r$", ylabel="$G / r^2$")
    plotting.log_ticks(ax.xaxis)


figure = plt.figure(figsize=(plotting.PAGE, 6.2))
panel = figure.subplot_mosaic("abc;def;ggh", height_ratios=(1, 1, 0.85))
for letters, stride in zip(("abc", "def"), strides, strict=True):
    distances, stabilities, rectification = (panel[letter] for letter in letters)
    draw_quantities(distances, stride, ("shift", "noise", "between"))
    draw_quantities(stabilities, stride, "DGR")
    draw_rectification(rectification, stride)
    for ax in (distances, stabilities, rectification):
        ax.set(xscale="log" if stride == 1 else "linear", yscale="log", xlabel="layer $k$")
        plotting.log_ticks(ax.yaxis, *([ax.xaxis] if stride == 1 else []))
        if stride > 1:
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    distances.set_ylabel(f"filter {rows_of(stride).filter_size.iloc[0]:g}, stride {stride:g}")
for letter, title in zip("abc", ("squared distances", "$D$, $G$ and $R$", "$G$, by what is rectified"), strict=True):
    panel[letter].set_title(title)
draw_norms(panel["g"])

panel["g"].legend(title="bias", title_fontsize="small", loc="lower right")


def mark(marker, color, face, label):
    """A legend's entry for points."""
    return plt.Line2D(
        [], [], color=color, marker=marker, markerfacecolor=face, linestyle="", markersize=3.5, label=label
    )


names = {"D": "shift, $D$", "G": "noise, $G$", "between": "between inputs", "R": "$R$"}
handles = [
    *(mark(*QUANTITIES[quantity], QUANTITIES[quantity][1], name) for quantity, name in names.items()),
    plt.Line2D([], [], color="0.35", label="theory", **LAW),
    plt.Line2D([], [], color="0.35", label="theory with fluctuations (c, f)", **FLUCTUATIONS),
]
if depth.length.nunique() > len(strides):
    handles.append(plt.Line2D([], [], color="0.35", label="shorter inputs", **SHORT))
handles += [mark(*look, f"rectified: {label}") for label, *look in RECTIFIED.values()]
panel["h"].set_axis_off()
panel["h"].legend(handles=handles, loc="center", handletextpad=0.5)
plotting.letter_panels([panel[letter] for letter in "abcdefg"])
plotting.save_figure(figure, snakemake)
