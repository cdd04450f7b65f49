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
# # Scale detection: a task that asks for pooling
#
# Nets learn whether two active pixels are near each other. Their error; $D_k$ and $G_k$ over relative depth, where each active
# pixel is moved by about a pixel; and how the components of their filters change. With several seeds, geometric means.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_scale_detection")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
stability = as_shown(read_table(snakemake.input.table))
components = read_table(snakemake.input.summary)
stability[["net", "seed", "state", "train_size", "test_error", "operation", "depth", "D", "G", "R"]]

# %%
networks = list(dict.fromkeys(stability.net))
colors = {network: looks.color(network) for network in networks}
markers = plotting.markers_by_color(colors)
sizes = sorted(stability.train_size.unique())
largest = stability[stability.train_size == sizes[-1]]


def draw_errors(ax):
    """Test error of every net against the number of training images, chance at the top."""
    trained = stability[stability.state == "trained"].drop_duplicates(["net", "seed", "train_size"])
    for place, network in enumerate(networks):
        rows = (
            trained[trained.net == network]
            .groupby("train_size")[["test_error", "test_error_low", "test_error_high"]]
            .mean()
        )
        shift = 1 + 0.02 * (place - (len(networks) - 1) / 2)
        whiskers = 100 * abs(rows[["test_error_low", "test_error_high"]].sub(rows.test_error, axis=0)).T
        ax.errorbar(
            rows.index * shift,
            100 * rows.test_error,
            whiskers,
            color=colors[network],
            marker=markers[network],
            markersize=4,
            linewidth=0.9,
            elinewidth=0.7,
        )
    ax.axhline(50, color="0.5", linewidth=0.8, linestyle=":")
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.xaxis.set_minor_locator(plt.NullLocator())
    ax.set_yscale("symlog", linthresh=1)
    ax.set_yticks([0, 1, 10, 50], ["0", "1", "10", "50"])
    ax.yaxis.set_minor_locator(plt.NullLocator())
    ax.set_ylim(-0.15, 65)
    ax.set_xlabel("training images $P$")
    ax.set_ylabel("test error (%)")


def draw_components(ax):
    """What the filters' components gain, mean over a net's convolutions with filters of one size."""
    rows = components[components.train_size == sizes[-1]].dropna(subset="ratio")
    for (network, _), of_net in rows.groupby(["net", "filter_size"], sort=False):
        mean = plotting.geometric_means(of_net, ["ratio"], by="eigenvalue").sort_index()
        share = mean.index / mean.index.max()
        ax.plot(share, mean.ratio, color=colors[network], marker=markers[network], markersize=2.5, linewidth=1)
    ax.axhline(1, color="0.3", linewidth=0.8, linestyle=":", zorder=0)
    ax.set_yscale("log")
    plotting.log_ticks(ax.yaxis)
    ax.set_xlabel(r"eigenvalue $\lambda$ / largest one")
    ax.set_ylabel(r"$c_{t,\lambda}\,/\,c_{0,\lambda}$")


def draw_depth(ax, quantity):
    """One quantity over depth, at init and trained."""
    for network in networks:
        for state, rows in largest[largest.net == network].groupby("state", sort=False):
            columns = [quantity, f"{quantity}_low", f"{quantity}_high"]
            mean = plotting.geometric_means(rows, columns, by="depth").sort_index()
            look = {"color": colors[network], **plotting.STATES[state]}
            face = "white" if state == "init" else colors[network]
            mark = {"marker": markers[network], "markersize": 2.4, "markerfacecolor": face, "markeredgewidth": 0.7}
            ax.plot(mean.index, mean[quantity], linewidth=1, **mark, **look)
            if state == "trained":
                ax.fill_between(
                    mean.index,
                    mean[f"{quantity}_low"],
                    mean[f"{quantity}_high"],
                    color=colors[network],
                    alpha=0.15,
                    linewidth=0,
                )
    ax.set_yscale("log")
    plotting.log_ticks(ax.yaxis)
    ax.set_xlim(0, 1.02)
    ax.set_xlabel("relative depth")
    ax.set_ylabel({"D": "stability to moved pixels $D_k$", "G": "noise stability $G_k$"}[quantity])


# %%
figure = plt.figure(figsize=(plotting.PAGE, 4.6))
axes = figure.subplots(2, 2)
draw_errors(axes[0, 0])
draw_components(axes[0, 1])
draw_depth(axes[1, 0], "D")
draw_depth(axes[1, 1], "G")
handles = [
    plt.Line2D([], [], color=colors[net], marker=markers[net], markersize=4, linewidth=1, label=looks.label(net))
    for net in networks
]
legend = plotting.add_legend(figure, [*handles, *plotting.state_lines(stability)], loc="outside upper center")
figure.set_figheight(4.6 + plotting.height_of(legend))
plotting.letter_panels(list(axes.flat))
plotting.save_figure(figure, snakemake)
