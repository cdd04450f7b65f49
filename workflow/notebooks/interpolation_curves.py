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
# # Towards another image, beside noise
#
# How far the output moves from $f(x)$ when $x$ moves by $r$ straight towards another image $z$, and with isotropic noise of the
# same norm. With several seeds, lines are their geometric means.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_interpolation_curves")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
curves = as_shown(read_table(snakemake.input.table))
for quantity in ("distance", "distance_low", "distance_high"):
    curves[f"{quantity}_ratio"] = curves[quantity] / curves.r**2
curves

# %% [markdown]
# Bands: 95% bootstrap intervals over images, trained. Dotted: beyond the other image, whose mean distance the grey line marks.

# %%
networks = list(dict.fromkeys(curves.net))
reach = curves.datapoint_distance.mean()
RATIOS = ["distance_ratio", "distance_low_ratio", "distance_high_ratio"]


def draw_up_to_partner(ax, values, perturbation, **style):
    """A curve over r, dotted where moving towards another image has gone past it."""
    beyond = values.index > reach if perturbation == "datapoint" else values.index > values.index.max()
    color = plotting.PERTURBATIONS[perturbation]
    ax.plot(values[~beyond], color=color, linewidth=1.1, **style)
    last = values[~beyond].index.max()
    ax.plot(values[values.index >= last], color=color, linewidth=1.1, **{**style, "linestyle": ":"})


def draw_curves(ax, network, output):
    """Distance over r^2 of one output, of both perturbations at init and trained; bands are those of trained networks."""
    rows = curves[(curves.net == network) & (curves.output == output)]
    for (perturbation, state), curve in rows.groupby(["perturbation", "state"], sort=False):
        mean = plotting.geometric_means(curve, RATIOS, by="r")
        draw_up_to_partner(ax, mean.distance_ratio, perturbation, **plotting.STATES[state])
        if state == "trained":
            band = {"color": plotting.PERTURBATIONS[perturbation], "alpha": 0.2, "linewidth": 0}
            ax.fill_between(mean.index, mean.distance_low_ratio, mean.distance_high_ratio, **band)
    ax.set_yscale("log")


def draw_changes(ax, network):
    """Share of predictions that change, trained."""
    trained = curves[(curves.net == network) & (curves.output == "logits") & (curves.state == "trained")]
    for perturbation, curve in trained.groupby("perturbation", sort=False):
        draw_up_to_partner(ax, 100 * curve.groupby("r").changed.mean(), perturbation, linestyle="-")


figure, axes = plt.subplots(
    len(networks), 3, figsize=(plotting.PAGE, 0.85 + 1.6 * len(networks)), sharex=True, sharey="col", squeeze=False
)
for (logits, softmax, changes), network in zip(axes, networks, strict=True):
    draw_curves(logits, network, "logits")
    draw_curves(softmax, network, "softmax")
    draw_changes(changes, network)
    for ax in (logits, softmax, changes):
        ax.axvline(reach, color="0.6", linewidth=0.8, zorder=0)
        ax.set_xscale("log")
    logits.set_ylabel(looks.label(network, 1.4))
titles = ("squared distance / $r^2$, logits", "the same, softmax", "predictions changed (%)")
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title)
for ax in axes[-1]:
    ax.set_xlabel(r"norm of the perturbation $r$")
plotting.log_ticks(axes[-1, 0].xaxis, axes[0, 0].yaxis, axes[0, 1].yaxis)
handles = [
    plt.Line2D([], [], color=plotting.PERTURBATIONS["datapoint"], label="towards another image"),
    plt.Line2D([], [], color=plotting.PERTURBATIONS["datapoint"], linestyle=":", label="beyond it"),
    plt.Line2D([], [], color=plotting.PERTURBATIONS["noise"], label="isotropic noise"),
    *plotting.state_lines(curves),
    plt.Line2D([], [], color="0.6", linewidth=0.8, label="mean distance"),
]
plotting.add_legend(figure, handles, loc="outside lower center", columnspacing=1.2, handlelength=1.8)
plotting.letter_panels(axes.flat)
figure.align_ylabels(axes[:, 0])
plotting.save_figure(figure, snakemake)
