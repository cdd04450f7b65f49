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
# # Stability and error against the number of training images
#
# Filled: trained, with the fit $a P^b$ as a line. Open: init, which sees no image. Geometric means over seeds, which are the
# small dots, with 95% intervals over images. Every training takes as many steps as with the network's usual number of images.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_stability_vs_train_size")

# %%
import matplotlib.pyplot as plt
import numpy as np

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
stability = as_shown(read_table(snakemake.input.table))
exponents = read_table(snakemake.input.summary).set_index(["net", "quantity"])
exponents

# %%
networks = list(dict.fromkeys(stability.net))
colors = {network: looks.color(network) for network in networks}
markers = plotting.markers_by_color(colors)
sizes = np.array(sorted(stability.train_size.unique()))
several_seeds = stability.seed.nunique() > 1


def draw_curve(ax, network, state, quantity, scale):
    """One quantity of a network in a state against P, with the seeds and intervals over images."""
    rows = stability[(stability.net == network) & (stability.state == state) & (stability[quantity] > 0)]
    curve = scale * plotting.geometric_means(rows, [quantity, f"{quantity}_low", f"{quantity}_high"], by="train_size")
    whiskers = [curve[quantity] - curve[f"{quantity}_low"], curve[f"{quantity}_high"] - curve[quantity]]
    color, face = colors[network], "white" if state == "init" else colors[network]
    look = {
        "marker": markers[network],
        "linestyle": "",
        "markersize": 3 if state == "init" else 4,
        "markerfacecolor": face,
        "elinewidth": 0.7,
        "zorder": 2.5 if state == "init" else 3,
    }
    places = curve.index * (1 + 0.03 * (networks.index(network) - (len(networks) - 1) / 2))
    ax.errorbar(places, curve[quantity], yerr=whiskers, color=color, **look)
    if state == "init":
        ax.plot(places, curve[quantity], color=color, linewidth=0.8, linestyle="--", alpha=0.6)
    if several_seeds:
        ax.plot(rows.train_size, scale * rows[quantity], ".", color="0.15", markersize=2, zorder=4)


def draw_fit(ax, network, quantity, scale):
    """The line a P^b; its exponent stands in the legend."""
    label = looks.label(network, 1.3)
    if (network, quantity) in exponents.index:
        fit = exponents.loc[(network, quantity)]
        ax.plot(sizes, scale * fit.a * sizes**fit.b, color=colors[network], linewidth=1)
        label += f": $b = {fit.b:z.2f}$ [${fit.b_low:z.2f}$, ${fit.b_high:z.2f}$]"
    look = {"color": colors[network], "marker": markers[network], "markersize": 4, "linewidth": 1}
    return plt.Line2D([], [], label=label, **look)


def draw_panel(part, quantity, states, scale=1.0):
    """A panel in a part of the figure and, below it, its legend; return both."""
    ax = part.subplots()
    for network in networks:
        for state in states:
            draw_curve(ax, network, state, quantity, scale)
    if not (stability[quantity] > 0).any():
        plotting.explain_emptiness(ax, "no test error above 0")
    keys = [draw_fit(ax, network, quantity, scale) for network in networks]
    ax.set_xscale("log")
    ax.set_yscale("log")
    shown = plotting.spread(list(sizes), 5)
    ax.set_xticks(shown, [f"{size:,}" for size in shown])
    ax.xaxis.set_minor_locator(plt.NullLocator())
    plotting.log_ticks(ax.yaxis)
    ax.set_xlabel("training images $P$")
    look = {"loc": "outside lower center", "ncols": 2 if len(keys) > 8 else 1, "handlelength": 1.6}
    return ax, plotting.add_legend(part, keys, inches=plotting.PAGE / 2, **look)


# %%
figure = plt.figure(figsize=(plotting.PAGE, 2.5))
beside = figure.subfigures(1, 2)
left, legend = draw_panel(beside[0], "R", ("init", "trained"))
right, other = draw_panel(beside[1], "test_error", ("trained",), scale=100)
figure.set_figheight(2.5 + max(map(plotting.height_of, (legend, other))))
left.axhline(1, color="0.3", linewidth=0.8, linestyle=":", zorder=0)
left.set_ylabel(plotting.MEANINGS["R"])
right.set_ylabel(r"test error $\epsilon$ (%)")
look = {"color": "0.3", "marker": "o", "markersize": 4}
states = [
    plt.Line2D([], [], **look, linewidth=0.8, linestyle="--", markerfacecolor="white", label="init"),
    plt.Line2D([], [], **look, linewidth=1, label="trained, with fit $a P^b$"),
]
figure.legend(handles=states, loc="outside upper right", ncols=2)
plotting.letter_panels([left, right])
plotting.save_figure(figure, snakemake)
