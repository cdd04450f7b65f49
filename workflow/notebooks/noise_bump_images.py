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
# # What the eye sees at the bump
#
# Images as they are, with noise of norms below, at and above $r^*$, and moved as far towards another image, with the network's
# prediction and confidence. $r^*$ is where $G_f / r^2$ of the trained network has its most prominent interior maximum, or its
# largest value, if none is prominent enough.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_noise_bump_images")

# %%
import matplotlib.pyplot as plt
from safetensors.numpy import load_file

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.labels import as_text
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
looks = plotting.Looks(snakemake.params.looks)
table = read_table(snakemake.input.table)
table

# %%
pictures = load_file(snakemake.input.pictures)
norms = table.drop_duplicates("factor")[["factor", "r"]].sort_values("factor")
RIGHT, WRONG = plotting.PERTURBATIONS["deformation"], plotting.PERTURBATIONS["noise"]


def title_of(factor, r):
    """What stands above a column."""
    if factor == 0:
        return "as it is"
    return (r"$r = r^*$" if factor == 1 else rf"$r = {factor:g}\, r^*$") + f" $= {r:.3g}$"


def words_below(shown):
    """Prediction, confidence, and what share of the way to the other image it is."""
    way = f"\n{100 * shown.way:.0f}% of the way" if shown.perturbation == "datapoint" and shown.factor else ""
    return f"{as_text(shown.prediction, side - 0.6)}: {100 * shown.confidence:.0f}%{way}"


def words_beside(shown):
    """What a row of pictures is."""
    label = as_text(shown.label, side - 0.2)
    return f"{label}\n+ noise" if shown.perturbation == "noise" else f"towards\n{label}"


def draw_picture(ax, shown, column):
    """One picture in a frame that says whether the network gets it right."""
    pixels = pictures[shown.perturbation][shown.image, column].transpose(1, 2, 0)
    ax.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    color = RIGHT if shown.right else WRONG
    for spine in ax.spines.values():
        spine.set(visible=True, color=color, linewidth=1.6)
    ax.set_xlabel(words_below(shown), color=color, fontsize=6.5, labelpad=2)
    if column == 0:
        ax.set_ylabel(words_beside(shown))


images, columns = pictures["noise"].shape[:2]
side = (plotting.PAGE - 0.4) / max(columns, 4)  # inches
figure, axes = plt.subplots(
    2 * images, columns, figsize=(0.4 + side * columns, 0.5 + (side + 0.22) * 2 * images), squeeze=False
)
for shown in table.itertuples():
    column = norms.factor.tolist().index(shown.factor)
    draw_picture(axes[2 * shown.image + (shown.perturbation == "datapoint"), column], shown, column)
for ax, (factor, r) in zip(axes[0], norms.itertuples(index=False), strict=True):
    ax.set_title(title_of(factor, r))
network = looks.label(table.net.iloc[0], 3)
note = "prediction: confidence" if table.bump.all() else "no bump: $r^*$ is where $G_f / r^2$ is largest"
figure.suptitle(f"{network}, trained ({note})", fontsize=plt.rcParams["axes.titlesize"])
plotting.save_figure(figure, snakemake)
