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
# same norm. With several seeds, lines are their means.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_interpolation_curves")

# %%
import matplotlib.pyplot as plt

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
curves = read_table(snakemake.input.table)
for quantity in ("distance", "distance_low", "distance_high"):
    curves[f"{quantity}_ratio"] = curves[quantity] / curves.r**2
curves

# %% [markdown]
# Bands: 95% bootstrap intervals over images. Dotted: the mean distance between an image and the one that it moves towards.

# %%
networks = list(dict.fromkeys(curves.net))
figure, axes = plt.subplots(3, len(networks), figsize=(plotting.PAGE, 4.9), sharex=True, sharey="row", squeeze=False)


def draw_curves(ax, network, output):
    """Distance over r^2 of one output, of both perturbations at init and trained, with intervals."""
    rows = curves[(curves.net == network) & (curves.output == output)]
    for (perturbation, state), curve in rows.groupby(["perturbation", "state"], sort=False):
        mean = curve.groupby("r")[["distance_ratio", "distance_low_ratio", "distance_high_ratio"]].mean()
        color = plotting.PERTURBATIONS[perturbation]
        ax.plot(mean.index, mean.distance_ratio, color=color, linewidth=1.1, **plotting.STATES[state])
        band = mean.distance_low_ratio, mean.distance_high_ratio
        ax.fill_between(mean.index, *band, color=color, alpha=0.2 * plotting.STATES[state]["alpha"], linewidth=0)
    ax.set_yscale("log")


for column, network in enumerate(networks):
    for ax, output in zip(axes[:, column], ("logits", "softmax"), strict=False):
        draw_curves(ax, network, output)
    trained = curves[(curves.net == network) & (curves.output == "logits") & (curves.state == "trained")]
    for perturbation, curve in trained.groupby("perturbation", sort=False):
        changed = 100 * curve.groupby("r").changed.mean()
        axes[2, column].plot(changed.index, changed, color=plotting.PERTURBATIONS[perturbation], linewidth=1.1)
    for ax in axes[:, column]:
        ax.axvline(curves.datapoint_distance.mean(), color="0.3", linewidth=0.8, linestyle=":")
        ax.set_xscale("log")
    axes[0, column].set_title(plotting.label_of(network), loc="center")
    axes[2, column].set_xlabel(r"norm of the perturbation $r$")
axes[0, 0].set_ylabel("squared distance / $r^2$\nlogits")
axes[1, 0].set_ylabel("squared distance / $r^2$\nsoftmax")
axes[2, 0].set_ylabel("prediction changed (%)\ntrained")
plotting.log_ticks(axes[-1, 0].xaxis, *(ax.yaxis for ax in axes[:-1, 0]))
handles = [
    plt.Line2D([], [], color=plotting.PERTURBATIONS["datapoint"], label="towards another image"),
    plt.Line2D([], [], color=plotting.PERTURBATIONS["noise"], label="isotropic noise"),
    plt.Line2D([], [], color="0.3", label="trained", **plotting.STATES["trained"]),
    plt.Line2D([], [], color="0.3", label="init", **plotting.STATES["init"]),
    plt.Line2D([], [], color="0.3", linewidth=0.8, linestyle=":", label="mean distance of the images"),
]
figure.legend(handles=handles, loc="outside lower center", ncols=5, columnspacing=1.2, handlelength=1.8)
plotting.letter_panels(axes.flat)
figure.align_ylabels(axes[:, 0])
plotting.save_figure(figure, snakemake)
figure
