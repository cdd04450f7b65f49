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
# Images as they are and with noise of norms below, at and above $r^*$, where $G_f / r^2$ of the trained network is largest,
# with its prediction and confidence.

# %%
if "snakemake" not in globals():
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_noise_bump_images")

# %%
import matplotlib.pyplot as plt
from safetensors.numpy import load_file

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
table = read_table(snakemake.input.table)
table

# %%
noisy = load_file(snakemake.input.pictures)["noisy"]
norms = table.drop_duplicates("factor")[["factor", "r"]].sort_values("factor")
images, columns = noisy.shape[:2]
right_color, wrong_color = plotting.PERTURBATIONS["deformation"], plotting.PERTURBATIONS["noise"]


def title_of(factor, r):
    """What stands above a column."""
    if factor == 0:
        return "as it is"
    return (r"$r = r^*$" if factor == 1 else rf"$r = {factor:g}\, r^*$") + f"\n$= {r:.3g}$"


long_names = table[["label", "prediction"]].astype(str).map(len).to_numpy().max() > 6
gap, row_height = ("\n", 1.1) if long_names else (" ", 0.98)
figure, axes = plt.subplots(images, columns, figsize=(plotting.COLUMN, 0.3 + row_height * images), squeeze=False)
for _, shown in table.iterrows():
    column = norms.factor.tolist().index(shown.factor)
    ax = axes[shown.image, column]
    pixels = noisy[shown.image, column].transpose(1, 2, 0)
    ax.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=right_color if shown.right else wrong_color, linewidth=1.6)
    ax.set_xlabel(
        f"{shown.prediction}:{gap}{100 * shown.confidence:.0f}%", color=right_color if shown.right else wrong_color
    )
    if column == 0:
        ax.set_ylabel(f"label{gap}{shown.label}")
for ax, (factor, r) in zip(axes[0], norms.itertuples(index=False), strict=True):
    ax.set_title(title_of(factor, r))
network = plotting.label_of(table.net.iloc[0])
note = "prediction: confidence" if table.bump.all() else "no bump: $r^*$ is where $G_f / r^2$ is largest"
figure.suptitle(f"{network}, trained ({note})", fontsize=plt.rcParams["axes.titlesize"])
plotting.save_figure(figure, snakemake)
figure
