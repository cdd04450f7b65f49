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
# sheared, in units of how much it differs between patches. A column for each way of making transformations equally large. Lines:
# geometric means over seeds; bars: bootstrap intervals over channels, their ends averaged over seeds.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_neuron_stability")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.figures.claim_measures import MissingError
from diffeo_stability.figures.neuron_stability.gaps import gaps
from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
table = as_shown(read_table(snakemake.input.table))
summary = as_shown(read_table(snakemake.input.summary))
table[(table.patch_choice == "random") & (table.transformation == "rotation")][
    [
        "net",
        "seed",
        "state",
        "layer",
        "size_by",
        "norm",
        "receptive_field",
        "neurons",
        "left_out",
        "places",
        "all_places",
    ]
]

# %%
WAYS = {
    "operator": "equal Frobenius norm",
    "displacement": "equal displacement\nof the effective field",
    "change": "equal change\nof what neurons see",
}
strongest = snakemake.config["neuron_stability"]["strongest"]
CHOICES = {
    "random": ("all patches", {"marker": "o", "linestyle": "-"}),
    "top": (f"{strongest} strongest patches", {"marker": "s", "linestyle": "none"}),
    "strongest": ("strongest patch", {"marker": "^", "linestyle": "none"}),
}
networks = list(dict.fromkeys(table.net))
kinds = list(dict.fromkeys(table.transformation))
try:
    over_init = gaps(summary)
except MissingError:
    over_init = None
rows_of_panels = 2 if over_init is None else 3


def draw_against_layer(ax, rows, columns, aside=0.0, **look):
    """One quantity, and the ends of its interval where these are given, of every transformation against the layer, or beside."""
    for kind, some in rows.groupby("transformation", sort=False):
        means = plotting.geometric_means(some, columns, by="layer_index").sort_index()
        value = means[columns[0]]
        bars = None
        if len(columns) == 3:  # the ends of a single channel's interval are its value, but for rounding
            bars = [(value - means[columns[1]]).clip(lower=0), (means[columns[2]] - value).clip(lower=0)]
        shift = 0.11 * (kinds.index(kind) - (len(kinds) - 1) / 2) + aside
        color = plotting.PARTS[kind][1]
        face = look.get("markerfacecolor", color)
        lines = {"linewidth": 0.9, "elinewidth": 0.5, "markeredgewidth": 0.7, "markersize": 2.6, "marker": "o"}
        ax.errorbar(means.index + shift, value, bars, color=color, **(lines | look | {"markerfacecolor": face}))


def draw_states(ax, rows, columns):
    for state, some in rows.groupby("state", sort=False):
        look = {"markerfacecolor": "white", "linestyle": "--"} if state == "init" else {}
        draw_against_layer(ax, some, columns, **look)


def draw_network(axes, network):
    """Rows of panels of a network, a column a way of making transformations equally large."""
    for column, way in enumerate(WAYS):
        here = (table.net == network) & (table.size_by == way) & (table.patch_choice == "random")
        ratios = summary[(summary.net == network) & (summary.size_by == way) & (summary.patch_choice == "random")]
        draw_states(axes[0, column], table[here], ["alpha", "low", "high"])
        draw_states(axes[1, column], ratios, ["ratio_to_translation", "ratio_low", "ratio_high"])
        if over_init is not None:
            own = over_init[(over_init.net == network) & (over_init.size_by == way)]
            for (choice, (_, look)), aside in zip(CHOICES.items(), (0, -0.03, 0.03), strict=True):
                columns = ["gap", "gap_low", "gap_high"] if choice == "random" else ["gap"]
                draw_against_layer(axes[2, column], own[own.patch_choice == choice], columns, aside, **look)
        for ax in axes[1:, column]:
            ax.axhline(1, color="0.3", linewidth=0.8, linestyle=":", zorder=0)
        fields = table[here].groupby("layer_index").receptive_field.first()
        axes[-1, column].set_xticks(fields.index, [f"{layer}\n{size}" for layer, size in fields.items()])
    ratio = r"$\alpha\,/\,\alpha_\mathrm{translation}$"
    labels = ("neurons' stability " + r"$\alpha$", ratio, ratio + "\ntrained / init")
    for ax, label in zip(axes[:, 0], labels, strict=False):
        ax.set_ylabel(label)
    axes[0, 0].set_ylabel(f"{looks.label(network, 1.4)}\n{labels[0]}")


figure, axes = plt.subplots(
    rows_of_panels * len(networks),
    len(WAYS),
    figsize=(plotting.PAGE, 0.9 + 1.65 * rows_of_panels * len(networks)),
    sharex=True,
    squeeze=False,
)
for row in axes:  # at equal Frobenius norm ratios are far larger, and would flatten the others
    row[1].sharey(row[2])
for number, network in enumerate(networks):
    draw_network(axes[rows_of_panels * number : rows_of_panels * (number + 1)], network)
for ax in axes.flat:
    ax.set_yscale("log")
for ax in axes[:, :2].flat:
    plotting.log_ticks(ax.yaxis)
for ax in axes[:, 2]:
    ax.tick_params(labelleft=False)
plotting.letter_panels(axes.flat)
for ax, title in zip(axes[0], WAYS.values(), strict=True):
    ax.set_title(title)
figure.supxlabel("layer, and its receptive field in pixels", fontsize=plt.rcParams["axes.labelsize"])
grey = {"color": "0.3", "markersize": 3, "linewidth": 0.9}
handles = [plt.Line2D([], [], color=plotting.PARTS[k][1], linewidth=2, label=plotting.PARTS[k][0]) for k in kinds]
handles.append(plt.Line2D([], [], **grey, marker="o", label="trained"))
if "init" in set(table.state):
    label = plotting.init_label(table)
    handles.append(plt.Line2D([], [], **grey, marker="o", markerfacecolor="white", linestyle="--", label=label))
if over_init is not None:
    handles += [plt.Line2D([], [], **grey, **look, label=label) for label, look in list(CHOICES.values())[1:]]
plotting.add_legend(figure, handles, loc="outside upper center", columnspacing=1.2, handletextpad=0.6)
figure.align_ylabels(axes[:, 0])
plotting.save_figure(figure, snakemake)
