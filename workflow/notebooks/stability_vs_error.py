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
# # Test error against stability
#
# One point per network, both axes logarithmic: the geometric mean over its seeds, which are the small dots, with 95% intervals
# over images. The line is the fit $\epsilon = a R_f^b$ to the papers' networks; others are grey and stay out of it. On CIFAR-10,
# arXiv:2105.02468 finds about $0.2 \sqrt{R_f}$ (dashed there) with a correlation of 0.97.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_stability_vs_error")

# %%
import matplotlib.pyplot as plt
import numpy as np

from diffeo_stability.figures.stability_vs_error.measurement import REPORTED_A, REPORTED_B, REPORTED_FOR, points_of
from diffeo_stability.figures.states import as_shown
from diffeo_stability.figures.words import tested
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
fits = as_shown(read_table(snakemake.input.table)).set_index("quantity")
fits

# %%
points = points_of(as_shown(read_table(snakemake.input.stability)), fits.state.iloc[0])
errors = ["test_error", "test_error_low", "test_error_high"]
quantities = [f"{quantity}{end}" for quantity in "RDG" for end in ("", "_low", "_high")]
means = plotting.geometric_means(points, [*errors, *quantities], by="net")
networks = points.groupby("net", sort=False)[["of_the_papers"]].first()
colors = {network: looks.color(network) if networks.of_the_papers[network] else "0.65" for network in networks.index}
markers = plotting.markers_by_color(colors)
papers = means[networks.of_the_papers]
several_seeds = points.seed.nunique() > 1
means[["test_error", "R", "D", "G"]]


# %%
def whiskers(row, name):
    """Lengths of an interval to both sides of a mean."""
    return [[row[name] - row[f"{name}_low"]], [row[f"{name}_high"] - row[name]]]


def look_of(network):
    """Colour and face of a network's marker: grey, if it is in no fit."""
    return {"color": colors[network], "markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.4}


def draw_points(ax, quantity):
    """Error against one quantity: every network, and its seeds."""
    for network, row in (100 * means[errors]).join(means[quantities]).iterrows():
        ax.errorbar(
            row[quantity],
            row.test_error,
            xerr=whiskers(row, quantity),
            yerr=whiskers(row, "test_error"),
            linestyle="",
            marker=markers[network],
            elinewidth=0.6,
            zorder=2 + networks.of_the_papers[network],
            **look_of(network),
        )
        if several_seeds:
            seeds = points[points.net == network]
            ax.plot(
                seeds[quantity], 100 * seeds.test_error, ".", color=colors[network], markersize=2, alpha=0.7, zorder=1
            )


def draw_fit(ax, quantity):
    """The fit to the papers' networks and, of R on CIFAR-10, what the papers report."""
    fit = fits.loc[quantity]
    if np.isnan(fit.correlation):
        if quantity == "R":
            ax.set_title(f"no fit: {fit.networks} of the papers' nets", loc="right")
        return
    x = np.geomspace(papers[quantity].min(), papers[quantity].max(), 50)
    ax.plot(x, 100 * fit.a * x**fit.b, color="0.3", linewidth=0.9)
    if quantity == "R" and fit.dataset == REPORTED_FOR:
        ax.plot(x, 100 * REPORTED_A * x**REPORTED_B, color="0.3", linewidth=0.9, linestyle="--")
    law = (
        rf"$\epsilon = {100 * fit.a:.1f}\,\%\; R_f^{{\,{fit.b:z.2f}}}$"
        if quantity == "R"
        else f"exponent ${fit.b:z.2f}$"
    )
    interval = f"[${fit.correlation_low:z.2f}$, ${fit.correlation_high:z.2f}$]"
    ax.set_title(f"{law}\ncorrelation ${fit.correlation:z.2f}$\n{interval}", loc="right")


figure, axes = plt.subplots(1, 3, figsize=(plotting.PAGE, 3.2), sharey=True)
for ax, quantity in zip(axes, "RDG", strict=True):
    draw_points(ax, quantity)
    draw_fit(ax, quantity)
    ax.set_xscale("log")
    ax.set_yscale("log")
    plotting.log_ticks(ax.xaxis, ax.yaxis)
    ax.set_xlabel(plotting.MEANINGS[quantity])
error = tested(snakemake.config["dataset"]).error
axes[0].set_ylabel(rf"{error} $\epsilon$ (%)")
if points.empty:
    plotting.explain_emptiness(axes[1], f"no {error} above 0")
fitted_first = networks.sort_values("of_the_papers", ascending=False, kind="stable").index
handles = [
    plt.Line2D([], [], marker=markers[network], linestyle="", label=looks.label(network), **look_of(network))
    for network in fitted_first
]
if fits.correlation.notna().all():
    label = "fit" if networks.of_the_papers.all() else "fit, without grey"
    handles.append(plt.Line2D([], [], color="0.3", linewidth=0.9, label=label))
    if fits.dataset.iloc[0] == REPORTED_FOR:
        label = rf"reported: ${REPORTED_A:g} \sqrt{{R_f}}$"
        handles.append(plt.Line2D([], [], color="0.3", linewidth=0.9, linestyle="--", label=label))
spacing = {"handlelength": 1.4, "handletextpad": 0.4, "columnspacing": 1.2}
if handles:
    legend = plotting.add_legend(figure, handles, loc="outside lower center", ncols=5, **spacing)
    figure.set_figheight(2.7 + plotting.height_of(legend))
plotting.letter_panels(axes)
plotting.save_figure(figure, snakemake)
