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
# Solid: trained. Dashed: init, which sees no image but through the statistics of batch-norm. Bands: 95% intervals,
# bootstrapped over images for $R_f$ and binomial for the error. With several seeds, lines are their means.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_stability_vs_train_size")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
stability = read_table(snakemake.input.table)
stability[["net", "seed", "state", "train_size", "R", "R_low", "R_high", "test_error"]]

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(plotting.PAGE, 2.5))
quantities = ["R", "R_low", "R_high", "test_error", "test_error_low", "test_error_high"]
for (network, architecture, state), rows in stability.groupby(["net", "architecture", "state"], sort=False):
    curve = rows.groupby("train_size")[quantities].mean().reset_index()
    line = {"color": plotting.color_of(architecture), "marker": "o", "markersize": 3.5}
    line["linestyle"] = "--" if state == "init" else "-"
    left.plot(curve.train_size, curve.R, **line)
    left.fill_between(curve.train_size, curve.R_low, curve.R_high, color=line["color"], alpha=0.2, linewidth=0)
    if state == "trained":
        right.plot(curve.train_size, 100 * curve.test_error, label=plotting.label_of(network), **line)
        band = 100 * curve.test_error_low, 100 * curve.test_error_high
        right.fill_between(curve.train_size, *band, color=line["color"], alpha=0.2, linewidth=0)
left.axhline(1, color="0.3", linewidth=0.8, linestyle=":")
left.plot([], [], color="0.3", linestyle="--", label="init")
left.plot([], [], color="0.3", linestyle="-", label="trained")
left.set_ylabel(plotting.MEANINGS["R"])
right.set_ylabel(r"test error $\epsilon$ (%)")
sizes = sorted(stability.train_size.unique())
for ax in (left, right):
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.xaxis.set_minor_locator(plt.NullLocator())
    plotting.log_ticks(ax.yaxis)
    ax.set_xlabel("training images $P$")
figure.legend(loc="outside right center")
plotting.letter_panels([left, right])
plotting.save_figure(figure, snakemake)
figure
