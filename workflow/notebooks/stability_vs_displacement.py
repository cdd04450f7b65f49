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
# # Stability against the displacement
#
# $R_f$, $D_f$ and $G_f$ over the typical displacement $\delta$, from $T_{\min} / 15$ to $2\, T_{\max}$, one column per cutoff
# $c$.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_stability_vs_displacement")

# %%
import matplotlib.pyplot as plt
from matplotlib.patches import Patch

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
stability = as_shown(read_table(snakemake.input.table))
stability[["net", "seed", "state", "cutoff", "delta", "r", "R", "R_low", "R_high", "D", "G", "diffeomorphism"]]

# %% [markdown]
# Dashed: init. Solid: trained. Geometric means over seeds, with the 95% bootstrap interval over images, its ends averaged over
# seeds. Shaded: displacements of fields that can be seen and are diffeomorphisms.

# %%
networks = list(dict.fromkeys(stability.net))
cutoffs = list(dict.fromkeys(stability.cutoff))
RANGE = {"color": "0.5", "alpha": 0.15, "linewidth": 0}
markers = plotting.markers_by_color({network: looks.color(network) for network in networks})


def draw_network(ax, quantity, rows, network):
    """One quantity of one network against the displacement, at init and trained, with bands of their intervals."""
    color = looks.color(network)
    own = rows[rows.net == network]
    for state in plotting.STATES:
        columns = [quantity, f"{quantity}_low", f"{quantity}_high"]
        means = plotting.geometric_means(own[own.state == state], columns, by="delta")
        if means.empty:
            continue
        value, low, high = (means[column] for column in columns)
        look = {"marker": markers[network], "markersize": 3, "linewidth": 1.1, "markeredgewidth": 0.8}
        face = "white" if state == "init" else color
        ax.fill_between(means.index, low, high, color=color, alpha=0.15, linewidth=0)
        ax.plot(means.index, value, color=color, markerfacecolor=face, **look, **plotting.STATES[state])


figure, axes = plt.subplots(
    3,
    len(cutoffs),
    figsize=(min(plotting.PAGE, 1.2 + 2.1 * len(cutoffs)), 5.4),
    sharex="col",
    sharey="row",
    squeeze=False,
    height_ratios=(1.25, 1, 1),
)
for column, cutoff in enumerate(cutoffs):
    rows = stability[stability.cutoff == cutoff]
    for ax, quantity in zip(axes[:, column], "RDG", strict=True):
        ax.axvspan(rows.delta_visible.iloc[0], rows.delta_overhang.iloc[0], **RANGE)
        for network in networks:
            draw_network(ax, quantity, rows, network)
        ax.set(xscale="log", yscale="log")
    axes[0, column].axhline(1, color="0.3", linewidth=0.8, linestyle=":")
    axes[0, column].set_title(rf"$c = {cutoff}$")
    axes[-1, column].set_xlabel("typical displacement\n$\\delta$ (pixels)")
for ax, quantity in zip(axes[:, 0], "RDG", strict=True):
    ax.set_ylabel(plotting.MEANINGS[quantity])
plotting.log_ticks(*(ax.xaxis for ax in axes[-1]), *(ax.yaxis for ax in axes[:, 0]))
handles = [
    *(
        plt.Line2D(
            [], [], color=looks.color(network), marker=markers[network], markersize=3.5, label=looks.label(network)
        )
        for network in networks
    ),
    *plotting.state_lines(stability),
    Patch(label="visible diffeomorphisms", **RANGE),
]
plotting.add_legend(figure, handles, loc="outside lower center", columnspacing=1.2, handlelength=1.8)
plotting.letter_panels(axes.flat)
figure.align_ylabels(axes[:, 0])
plotting.save_figure(figure, snakemake)
