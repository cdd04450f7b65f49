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
# # Stability against the norm of the perturbation
#
# $D_f(r)$ for deformations and $G_f(r)$ for noise, of norm $r$, of the logits. Divided by $r^2$, a linear function is flat; the
# most prominent interior maximum of a trained network, where it is prominent enough, is the bump, at $r^*$. With several seeds,
# lines are their geometric means.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_noise_curves")

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

from diffeo_stability.figures.claim_measures import mean_over_seeds
from diffeo_stability.figures.states import as_shown
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
curves = as_shown(read_table(snakemake.input.table))
curves["ratio"] = curves.distance / curves.r**2
curves

# %%
summary = as_shown(read_table(snakemake.input.summary))
columns = ["exponent", "linear_until", "bump", "bump_r", "bump_height", "prominence", "rise", "rise_r", "r_changed"]
summary[["net", "seed", "state", "perturbation", "output", *columns]]

# %% [markdown]
# Shaded: norms of visible deformations that are diffeomorphisms; elsewhere the curve of deformations is thin. Line with a band:
# $r^*$ of the trained network for noise, with its 95% interval. Bars across curves: end of the linear regime.

# %%
networks = list(dict.fromkeys(curves.net))
image_norm = summary.image_norm.mean()
tolerance = snakemake.config["noise_curves"]["tolerance"]
NOISE, DEFORMATION = plotting.PERTURBATIONS["noise"], plotting.PERTURBATIONS["deformation"]
SOFTMAX = {"linestyle": ":", "linewidth": 1.1, "color": NOISE}


def rows_of(table, network, **values):
    """Rows of a network in which columns have the values given."""
    table = table[table.net == network]
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def draw_curves(ax, network, quantity):
    """One quantity of the logits against r, of both perturbations at init and trained."""
    for (perturbation, state), curve in rows_of(curves, network, output="logits").groupby(
        ["perturbation", "state"], sort=False
    ):
        mean = plotting.geometric_means(curve, [quantity], by="r")[quantity]
        style = {"color": plotting.PERTURBATIONS[perturbation], **plotting.STATES[state]}
        ax.plot(mean, linewidth=1.1 if perturbation == "noise" else 0.6, **style)
        if perturbation == "deformation":
            seen = curve.groupby("r", sort=False).diffeomorphism.all()
            ax.plot(mean[seen], linewidth=2, **style)


def bump_of(network):
    """r* of the trained network's logits under noise with its interval, a mean over the seeds that have a bump; None without."""
    rows = rows_of(summary, network, state="trained", perturbation="noise", output="logits")
    found = mean_over_seeds(rows[rows.bump], "bump_r", ["net"])
    return found[0] if found else None


def words_on_bump(network):
    """What the panel says of the bump."""
    rows = rows_of(summary, network, state="trained", perturbation="noise", output="logits")
    bump = bump_of(network)
    if bump is None:
        top = plotting.geometric_means(rows, ["rise", "rise_r"], by="net").iloc[0]
        rises = f"no bump: rises {top.rise:.2g}-fold\nup to $r = {top.rise_r:.3g}$"
        return rises if top.rise > 1 + tolerance else "no bump"
    some = "" if rows.bump.all() else f"\n({rows.bump.sum()} of {len(rows)} seeds)"
    return rf"$r^* = {bump.value:.3g}$" + some


def draw_marks(ax, network):
    """The range of visible diffeomorphisms, and r* of the trained network with its interval."""
    limits = rows_of(summary, network)[["r_visible", "r_overhang"]].mean()
    ax.axvspan(*limits, color=DEFORMATION, alpha=0.12, linewidth=0)
    if (bump := bump_of(network)) is not None:
        ax.axvspan(bump.low, bump.high, color=NOISE, alpha=0.25, linewidth=0)
        ax.axvline(bump.value, color=NOISE, linewidth=0.7)


def draw_linear_regime(ax, network):
    """Where a curve leaves its level at small r."""
    for (perturbation, state), own in rows_of(summary, network, output="logits").groupby(
        ["perturbation", "state"], sort=False
    ):
        end = plotting.geometric_means(own, ["linear_until"], by="net").linear_until.iloc[0]
        curve = rows_of(curves, network, output="logits", perturbation=perturbation, state=state)
        mean = plotting.geometric_means(curve, ["ratio"], by="r").ratio
        there = np.interp(math.log(end), np.log(mean.index), mean)
        style = {"color": plotting.PERTURBATIONS[perturbation], "alpha": plotting.STATES[state]["alpha"]}
        ax.plot(end, there, marker="|", markersize=7, markeredgewidth=1.3, **style)


def draw_ratio(ax, network):
    """The curves over r^2, where a bump shows, and that of the trained softmax probabilities under noise."""
    draw_curves(ax, network, "ratio")
    draw_linear_regime(ax, network)
    softmax = rows_of(curves, network, output="softmax", state="trained", perturbation="noise")
    ax.plot(plotting.geometric_means(softmax, ["ratio"], by="r").ratio, **SOFTMAX)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    where = {"transform": ax.transAxes, "ha": "left", "va": "top"}
    ax.text(0.03, 0.97, words_on_bump(network), fontsize=6.5, color=NOISE, bbox=box, **where)


def draw_shares(ax, network):
    """Share of predictions that change and share misclassified, trained; a dot where 5% have changed by noise."""
    trained = rows_of(curves, network, output="logits", state="trained")
    for perturbation, curve in trained.groupby("perturbation", sort=False):
        mean = 100 * curve.groupby("r")[["changed", "error"]].mean()
        color = plotting.PERTURBATIONS[perturbation]
        ax.plot(mean.changed, color=color, linewidth=1.1)
        ax.plot(mean.error, color=color, linewidth=0.9, linestyle="-.")
    where = rows_of(summary, network, output="logits", state="trained", perturbation="noise").r_changed.dropna()
    if len(where):
        ax.plot(math.exp(where.map(math.log).mean()), 5, marker="o", markersize=3.5, color=NOISE)


figure, axes = plt.subplots(
    len(networks), 3, figsize=(plotting.PAGE, 0.95 + 1.75 * len(networks)), sharex=True, sharey="col", squeeze=False
)
for (distance, ratio, shares), network in zip(axes, networks, strict=True):
    for ax in (distance, ratio, shares):
        draw_marks(ax, network)
        ax.set_xscale("log")
    distance.set_yscale("log")
    ratio.set_yscale("log")
    draw_curves(distance, network, "distance")
    draw_ratio(ratio, network)
    draw_shares(shares, network)
    distance.set_ylabel(looks.label(network, 1.4))
for ax, title in zip(axes[0], (r"$D_f,\ G_f$", r"$D_f / r^2,\ G_f / r^2$", "share of images (%)"), strict=True):
    ax.set_title(title)
    relative = ax.secondary_xaxis("top", functions=(lambda r: r / image_norm, lambda share: share * image_norm))
    relative.set_xlabel(r"$r\, /\, \langle |x| \rangle$")
    relative.set_xlim([r / image_norm for r in ax.get_xlim()])
    plotting.log_ticks(relative.xaxis)
for ax in axes[-1]:
    ax.set_xlabel(r"norm of the perturbation $r$")
low, high = axes[0, 1].get_ylim()
axes[0, 1].set_ylim(low, high * (high / low) ** 0.2)  # room for words
plotting.log_ticks(axes[-1, 0].xaxis, axes[0, 0].yaxis, axes[0, 1].yaxis)
handles = [
    plt.Line2D([], [], color=DEFORMATION, linewidth=1.6, label="deformation"),
    plt.Line2D([], [], color=NOISE, linewidth=1.1, label="noise"),
    *plotting.state_lines(curves),
    plt.Line2D([], [], label="noise, trained, softmax", **SOFTMAX),
    plt.Line2D([], [], color="0.3", linewidth=0.9, linestyle="-.", label="misclassified (right)"),
]
plotting.add_legend(figure, handles, loc="outside lower center", columnspacing=1.2, handlelength=1.8)
plotting.letter_panels(axes.flat)
figure.align_ylabels(axes[:, 0])
plotting.save_figure(figure, snakemake)
