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
# # The ensemble of smooth deformations
#
# One image under the ensemble, over cutoff $c$ and temperature $T$: framed where the field can be seen and is still a
# diffeomorphism, $T_{\min} \le T \le T_{\max}$. Beside it, the measured displacement against both formulas.

# %%
if "snakemake" not in globals() or snakemake.by_hand:
    from diffeo_stability.pipeline.interactive import mock_snakemake

    snakemake = mock_snakemake("draw_deformations")

# %%
import matplotlib.pyplot as plt
import numpy as np
from safetensors.numpy import load_file

from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.tables import read_table

plotting.set_style()
table = read_table(snakemake.input.table)
table

# %%
pictures = load_file(snakemake.input.pictures)
temperatures = list(dict.fromkeys(table.temperature))
cutoffs = list(dict.fromkeys(table.cutoff))
inside = (table.temperature >= table.temperature_min) & (table.temperature <= table.temperature_max)
region_color = plotting.COLORS["green"]


def draw_image(ax, image, in_region):
    """An image ``(C, n, n)``, framed if its temperature lies in the region."""
    pixels = image.transpose(1, 2, 0)
    ax.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=region_color if in_region else "0.8", linewidth=1.8 if in_region else 0.4)


def draw_arrows(ax, field):
    """Displacement of every few pixels, to scale."""
    size = field.shape[-1]
    step = max(1, size // 7)
    y, x = np.mgrid[step // 2 : size : step, step // 2 : size : step]
    ax.quiver(
        x,
        y,
        field[0, y, x],
        field[1, y, x],
        angles="xy",
        scale_units="xy",
        scale=1,
        color="#ffd24d",
        width=0.02,
        edgecolor="black",
        linewidth=0.3,
    )


figure = plt.figure(figsize=(plotting.PAGE, 3.1))
left, right = figure.subfigures(1, 2, width_ratios=(1.45, 1))
grid = left.subplots(len(temperatures), len(cutoffs), squeeze=False)
for row, temperature in enumerate(temperatures):
    for column, cutoff in enumerate(cutoffs):
        ax = grid[row, column]
        place = (table.temperature == temperature) & (table.cutoff == cutoff)
        draw_image(ax, pictures["deformed"][row, column], inside[place].item())
        if column == 0:
            ax.set_ylabel(f"{temperature:g}", rotation=0, ha="right", va="center")
        if row == len(temperatures) - 1:
            ax.set_xlabel(f"{cutoff}")
# Arrows on the largest deformation that is one, at the cutoff of the usual probe
arrow_column = cutoffs.index(3) if 3 in cutoffs else 0
framed = table[inside & (table.cutoff == cutoffs[arrow_column])].temperature
if len(framed):
    row = temperatures.index(framed.max())
    draw_arrows(grid[row, arrow_column], pictures["field"][row, arrow_column])
sizes = {"fontsize": plt.rcParams["axes.labelsize"]}
left.supylabel("temperature $T$", **sizes)
left.supxlabel("cutoff $c$", **sizes)

ax = right.subplots()
for quantity, label, marker, color in (
    ("delta_formula", r"asymptotic, $\delta = n \sqrt{\pi T \ln c}\,/\,2$", "o", "0.45"),
    ("delta_exact", "exact, mode sum", "s", region_color),
):
    ax.plot(
        table[quantity], table.delta_measured, linestyle="", marker=marker, markersize=3.5, color=color, label=label
    )
ends = np.array([table.delta_measured.min() / 1.3, table.delta_measured.max() * 1.3])
ax.plot(ends, ends, color="0.3", linewidth=0.8, linestyle="--")
ax.set(
    xscale="log",
    yscale="log",
    aspect="equal",
    xlabel=r"displacement $\delta$ by formula (pixels)",
    ylabel="measured rms displacement (pixels)",
)
plotting.log_ticks(ax.xaxis, ax.yaxis)
ax.legend(loc="upper left", handletextpad=0.2)
plotting.letter_panels([grid[0, 0], ax])
plotting.save_figure(figure, snakemake)
