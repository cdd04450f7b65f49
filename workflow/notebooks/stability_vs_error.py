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
# One point per network and seed, both axes logarithmic, with 95% intervals. The line is the fit $\epsilon = a R_f^b$; on
# CIFAR-10, arXiv:2105.02468 finds about $0.2 \sqrt{R_f}$ with a correlation of 0.97.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_stability_vs_error")

# %%
import matplotlib.pyplot as plt
import numpy as np

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
correlation = read_table(snakemake.input.table).set_index("quantity")
correlation

# %%
stability = read_table(snakemake.input.stability)
error_columns = ["test_error", "test_error_low", "test_error_high"]
errors = stability[stability.state == "trained"].set_index(["net", "seed"])[error_columns]
points = stability[stability.state == correlation.state.iloc[0]].drop(columns=error_columns)
points = points.join(errors, on=["net", "seed"])
networks = points.groupby("net", sort=False).architecture.first()


def marker_of(network):
    """A marker that tells a network from the others of its family."""
    family = plotting.family_label(networks[network])
    relatives = [other for other, architecture in networks.items() if plotting.family_label(architecture) == family]
    return plotting.MARKERS[relatives.index(network) % len(plotting.MARKERS)]


def draw_points(ax, quantity):
    """Error against one quantity, with the fit."""
    for network, rows in points.groupby("net", sort=False):
        ax.errorbar(
            rows[quantity],
            100 * rows.test_error,
            yerr=[
                100 * (rows.test_error - rows.test_error_low),
                100 * (rows.test_error_high - rows.test_error),
            ],
            xerr=[rows[quantity] - rows[f"{quantity}_low"], rows[f"{quantity}_high"] - rows[quantity]],
            color=plotting.color_of(networks[network]),
            fmt=marker_of(network),
            markersize=4.5,
            elinewidth=0.6,
            markeredgecolor="white",
            markeredgewidth=0.4,
            label=plotting.label_of(network),
        )
    fit = correlation.loc[quantity]
    x = np.geomspace(points[quantity].min(), points[quantity].max(), 50)
    ax.plot(x, 100 * fit.a * x**fit.b, color="0.3", linewidth=0.9)
    ax.set_xscale("log")
    ax.set_yscale("log")
    plotting.log_ticks(ax.xaxis, ax.yaxis)
    ax.set_xlabel(plotting.MEANINGS[quantity])
    law = rf"$\epsilon = {100 * fit.a:.1f}\,\%\; R_f^{{{fit.b:.2f}}}$" if quantity == "R" else ""
    interval = f"[${fit.correlation_low:.2f}$, ${fit.correlation_high:.2f}$]"
    ax.set_title(f"{law}\ncorrelation ${fit.correlation:.2f}$\n{interval}", loc="right")


figure, axes = plt.subplots(1, 3, figsize=(plotting.PAGE, 3.0), sharey=True)
for ax, quantity in zip(axes, "RDG", strict=True):
    draw_points(ax, quantity)
axes[0].set_ylabel(r"test error $\epsilon$ (%)")
handles, labels = axes[0].get_legend_handles_labels()
markers = [handle.lines[0] for handle in handles]
figure.legend(markers, labels, loc="outside lower center", ncols=6, handletextpad=0.3, columnspacing=1.2)
plotting.letter_panels(axes)
plotting.save_figure(figure, snakemake)
figure
