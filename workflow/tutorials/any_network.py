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
# # Is any network stable to smooth deformations?
#
# This notebook measures a network that has nothing to do with the pipeline: any `torch` module from images to numbers will do. It
# takes half a minute on two processor cores and downloads nothing; open it in Jupyter or VS Code.
#
# The question is how much more (or less) an output changes under a small smooth deformation of the image than under noise of the
# same norm:
#
# $$R_f = \frac{D_f}{G_f} = \frac{\langle \| f(\tau x) - f(x) \|^2 \rangle}{\langle \| f(x + \eta) - f(x) \|^2 \rangle}.$$

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

from diffeo_stability import deform, relative_stability, stability_by_operation
from diffeo_stability.data.datasets import split_dataset
from diffeo_stability.data.prepare import prepare_dataset

torch.manual_seed(0)

# %% [markdown]
# ## Images
#
# Here they are 5,000 handwritten digits that a package carries. Your own come from a folder or an archive by
# `load_images("photos", 224, mean=..., std=...)`: scale them as your model expects.

# %%
digits = split_dataset(prepare_dataset("mnist5k", "."), validation_images=1, seed=0)
train, test = digits.normalise(digits.train.images), digits.normalise(digits.test.images)
images = test[:200]

# %% [markdown]
# ## Deformations
#
# A displacement of $\delta$ pixels on average, made of the lowest $c$ Fourier modes in each direction.

# %%
fig, axes = plt.subplots(1, 4, figsize=(7, 2))
for ax, displacement in zip(axes, (0, 1, 2, 4), strict=True):
    deformed = images[:1]
    if displacement:
        deformed = deform(deformed, displacement=float(displacement), generator=torch.Generator().manual_seed(1))
    ax.imshow(deformed[0, 0], cmap="gray")
    ax.set_title(rf"$\delta = {displacement}$ pixels")
    ax.axis("off")

# %% [markdown]
# ## A model
#
# Any module: `timm.create_model(...)`, `torchvision.models.get_model(...)`, or as here a few lines, trained for a few seconds.

# %%
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(16 * 7 * 7, 10),
)  # fmt: skip


def measure():
    """The same deformations and noise every time."""
    return relative_stability(model, images, seed=0)


at_init = measure()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for _epoch in range(4):
    for batch in torch.randperm(len(train)).split(64):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(train[batch]), digits.train.labels[batch]).backward()
        optimizer.step()
trained = measure()
error = (model(test).argmax(1) != digits.test.labels).float().mean().item()
print(f"test error {error:.1%}")
for state, stability in (("at init", at_init), ("trained", trained)):
    relative = stability.relative
    print(f"R {state}: {relative.value:.2f} [{relative.low:.2f}, {relative.high:.2f}]")

# %% [markdown]
# Training has raised $R$ here, as it does in fully connected networks. The papers' networks, in which it falls below one, have
# many convolutions; this one has two, and most of its weights in the linear map behind them.
#
# ## Layer by layer
#
# One pass measures the output of every operation.

# %%
by_operation = stability_by_operation(model, images, seed=0)
names, values = zip(*((name, found.relative.value) for name, found in by_operation.items()), strict=True)
fig, ax = plt.subplots(figsize=(5, 2.5), layout="constrained")
ax.plot(names, values, "o-")
ax.axhline(1, color="0.5", linewidth=0.8)
ax.set(xlabel="operation", ylabel="$R_f$ of its output")

# %% [markdown]
# ## How large a deformation?

# %%
fig, ax = plt.subplots(figsize=(5, 2.5), layout="constrained")
displacements = [0.25, 0.5, 1.0, 2.0, 4.0]
found = [relative_stability(model, images, displacement=delta, seed=0).relative for delta in displacements]
ax.errorbar(
    displacements,
    [one.value for one in found],
    [[one.value - one.low for one in found], [one.high - one.value for one in found]],
    fmt="o-",
    capsize=2,
)
ax.set(xscale="log", xlabel=r"displacement $\delta$ (pixels)", ylabel="$R_f$")
