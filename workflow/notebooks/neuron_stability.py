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
# # Neurons under local transformations
#
# $\alpha$: how much a neuron's activation moves when what is in its receptive field is translated, rotated, compressed or
# sheared, in units of how much it differs between patches. Lines: means over seeds; bars: bootstrap intervals over channels,
# their ends averaged over seeds.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_neuron_stability")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
table = read_table(snakemake.input.table)
summary = read_table(snakemake.input.summary)
table[(table.patch_choice == "random") & (table.transformation == "translation")][
    ["net", "seed", "state", "layer", "receptive_field", "neurons", "left_out", "places", "all_places"]
]

# %%
settings = snakemake.config["neuron_stability"]
choices = {"random": "all patches", "strongest": "strongest patch", "top": f"{settings['strongest']} strongest patches"}
networks = list(dict.fromkeys(table.net))


def draw_against_layer(ax, rows, value, low, high):
    """One quantity of every transformation against the layer, at init and trained."""
    kinds = list(dict.fromkeys(rows.transformation))
    for (state, kind), some in rows.groupby(["state", "transformation"], sort=False):
        mean = some.groupby("layer_index")[[value, low, high]].mean()
        shift = 0.09 * (kinds.index(kind) - (len(kinds) - 1) / 2)
        color = plotting.PARTS[kind][1]
        ax.errorbar(
            mean.index + shift,
            mean[value],
            [mean[value] - mean[low], mean[high] - mean[value]],
            color=color,
            marker="o",
            markersize=2.4,
            markerfacecolor=color if state == "trained" else "white",
            markeredgewidth=0.7,
            linewidth=0.9,
            elinewidth=0.5,
            linestyle=plotting.STATES[state]["linestyle"],
        )
    ax.set_yscale("log")
    ax.set_xticks(sorted(set(rows.layer_index)))


def draw_network(axes, network):
    """Two rows of panels of a network, a column a choice of patches."""
    for column, choice in enumerate(choices):
        rows = table[(table.net == network) & (table.patch_choice == choice)]
        ratios = summary[(summary.net == network) & (summary.patch_choice == choice) & (summary.state == "trained")]
        draw_against_layer(axes[0, column], rows, "alpha", "low", "high")
        draw_against_layer(axes[1, column], ratios, "ratio_to_translation", "ratio_low", "ratio_high")
        axes[1, column].axhline(1, color="0.3", linewidth=0.8, linestyle=":", zorder=0)
        fields = rows.groupby("layer_index").receptive_field.first()
        axes[1, column].set_xticks(fields.index, [f"{layer}\n{size}" for layer, size in fields.items()])
    for ax in axes[:, 1:].flat:
        ax.tick_params(labelleft=False)
    axes[0, 0].set_ylabel(plotting.label_of(network) + "\n" + r"neurons' stability $\alpha$")
    axes[1, 0].set_ylabel("trained,\n" + r"$\alpha\,/\,\alpha_\mathrm{translation}$")


figure, axes = plt.subplots(
    2 * len(networks),
    len(choices),
    figsize=(plotting.PAGE, 0.6 + 3.3 * len(networks)),
    sharex=True,
    sharey="row",
    squeeze=False,
    height_ratios=[1.4, 1] * len(networks),
)
for number, network in enumerate(networks):
    draw_network(axes[2 * number : 2 * number + 2], network)
for ax, title in zip(axes[0], choices.values(), strict=True):
    ax.set_title(title)
for ax in axes[:, 0]:
    plotting.log_ticks(ax.yaxis)
figure.supxlabel("layer, and its receptive field in pixels", fontsize=plt.rcParams["axes.labelsize"])
handles = [
    plt.Line2D(
        [], [], color=plotting.PARTS[kind][1], marker="o", markersize=3, linestyle="", label=plotting.PARTS[kind][0]
    )
    for kind in dict.fromkeys(table.transformation)
]
line = {"color": "0.3", "marker": "o", "markersize": 3, "linewidth": 0.9}
handles += [
    plt.Line2D([], [], **line, label="trained"),
    plt.Line2D([], [], **line, markerfacecolor="white", linestyle="--", label="init"),
]
figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), columnspacing=1.2, handletextpad=0.6)
plotting.letter_panels(axes.flat)
figure.align_ylabels(axes[:, 0])
plotting.save_figure(figure, snakemake)
figure
