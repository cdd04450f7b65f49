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
# $D_f(r)$ for deformations and $G_f(r)$ for noise, of norm $r$, for the logits and for the softmax probabilities. Divided by
# $r^2$, a linear function is flat; the maximum of a trained network is the bump, at $r^*$. With several seeds, lines are
# their means.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_noise_curves")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
curves = read_table(snakemake.input.table)
curves["ratio"] = curves.distance / curves.r**2
curves

# %%
summary = read_table(snakemake.input.summary)
summary[["net", "seed", "state", "perturbation", "output", "exponent", "linear_until", "bump", "bump_r", "bump_height"]]

# %% [markdown]
# Shaded: norms of visible deformations that are diffeomorphisms; elsewhere the curve of deformations is thin and its points
# are open. Line with a band: $r^*$ of the trained network for noise, with its 95% interval. Bars across curves: end of the
# linear regime.

# %%
networks = list(dict.fromkeys(curves.net))


def draw_curves(ax, network, output, quantity):
    """One quantity of one output against r, of both perturbations at init and trained."""
    rows = curves[(curves.net == network) & (curves.output == output)]
    for (perturbation, state), curve in rows.groupby(["perturbation", "state"], sort=False):
        mean = curve.groupby("r").agg({quantity: "mean", "diffeomorphism": "all"}).reset_index()
        style = {"color": plotting.PERTURBATIONS[perturbation], **plotting.STATES[state]}
        ax.plot(mean.r, mean[quantity], linewidth=1.1 if perturbation == "noise" else 0.6, **style)
        if perturbation == "deformation":
            inside, outside = mean[mean.diffeomorphism], mean[~mean.diffeomorphism]
            ax.plot(inside.r, inside[quantity], linewidth=1.6, **style)
            marker = {"linestyle": "", "marker": "o", "markersize": 2, "markeredgewidth": 0.5, "alpha": style["alpha"]}
            ax.plot(outside.r, outside[quantity], color=style["color"], markerfacecolor="white", **marker)
            ax.plot(inside.r, inside[quantity], color=style["color"], **marker)


def draw_marks(ax, network, output):
    """The range of visible diffeomorphisms, and r* of the trained network with its interval."""
    rows = summary[(summary.net == network) & (summary.output == output)]
    limits = rows[["r_visible", "r_overhang"]].mean()
    ax.axvspan(*limits, color=plotting.PERTURBATIONS["deformation"], alpha=0.12, linewidth=0)
    bumps = rows[(rows.state == "trained") & (rows.perturbation == "noise") & rows.bump]
    for _, bump in bumps.iterrows():
        ax.axvspan(bump.bump_r_low, bump.bump_r_high, color=plotting.PERTURBATIONS["noise"], alpha=0.3, linewidth=0)
        ax.axvline(bump.bump_r, color=plotting.PERTURBATIONS["noise"], linewidth=0.7)
    return bumps


def draw_linear_regime(ax, network, output):
    """Where a curve leaves its level at small r."""
    rows = summary[(summary.net == network) & (summary.output == output)]
    for (perturbation, state), own in rows.groupby(["perturbation", "state"], sort=False):
        style = {"color": plotting.PERTURBATIONS[perturbation], "alpha": plotting.STATES[state]["alpha"]}
        ax.plot(own.linear_until.mean(), own.level.mean(), marker="|", markersize=7, markeredgewidth=1.3, **style)


names = {"logits": "logits", "softmax": "softmax"}
panels = [(output, quantity) for quantity in ("distance", "ratio") for output in names]
figure, axes = plt.subplots(
    len(panels) + 1, len(networks), figsize=(plotting.PAGE, 7.6), sharex=True, sharey="row", squeeze=False
)
for column, network in enumerate(networks):
    for ax, (output, quantity) in zip(axes[:, column], panels, strict=False):
        bumps = draw_marks(ax, network, output)
        draw_curves(ax, network, output, quantity)
        if quantity == "ratio":
            draw_linear_regime(ax, network, output)
            if len(bumps):
                ax.set_title(rf"$r^* = {bumps.bump_r.mean():.3g}$", loc="right", color=plotting.PERTURBATIONS["noise"])
        ax.set_xscale("log")
        ax.set_yscale("log")
    bottom = axes[-1, column]
    draw_marks(bottom, network, "logits")
    trained = curves[(curves.net == network) & (curves.output == "logits") & (curves.state == "trained")]
    for perturbation, curve in trained.groupby("perturbation", sort=False):
        mean = curve.groupby("r")[["changed", "error"]].mean()
        color = plotting.PERTURBATIONS[perturbation]
        bottom.plot(mean.index, 100 * mean.changed, color=color, linewidth=1.1)
        bottom.plot(mean.index, 100 * mean.error, color=color, linewidth=0.9, linestyle=":")
    bottom.set_xlabel(r"norm of the perturbation $r$")
    axes[0, column].set_title(plotting.label_of(network), loc="center")
for row, (output, quantity) in enumerate(panels):
    symbol = r"$D_f,\ G_f$" if quantity == "distance" else r"$D_f / r^2,\ G_f / r^2$"
    axes[row, 0].set_ylabel(f"{symbol}\n{names[output]}")
axes[-1, 0].set_ylabel("share of images (%)\ntrained")
plotting.log_ticks(axes[-1, 0].xaxis, *(ax.yaxis for ax in axes[:-1, 0]))
handles = [
    plt.Line2D([], [], color=plotting.PERTURBATIONS["deformation"], linewidth=1.6, label="deformation"),
    plt.Line2D([], [], color=plotting.PERTURBATIONS["noise"], label="noise"),
    plt.Line2D([], [], color="0.3", label="trained", **plotting.STATES["trained"]),
    plt.Line2D([], [], color="0.3", label="init", **plotting.STATES["init"]),
    plt.Line2D([], [], color="0.3", linestyle="-", linewidth=1.1, label="bottom: prediction changed"),
    plt.Line2D([], [], color="0.3", linestyle=":", linewidth=0.9, label="bottom: misclassified"),
]
figure.legend(handles=handles, loc="outside lower center", ncols=6, columnspacing=1.2, handlelength=1.8)
plotting.letter_panels(axes.flat)
figure.align_ylabels(axes[:, 0])
plotting.save_figure(figure, snakemake)
figure
