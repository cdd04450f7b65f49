"""Error, D, G and R of nets that were trained on images with noise, and see images with such noise.

Source: arXiv:2210.01506, figures 1 and 10. As in its code, the noise is part of the images: it is deformed with them.
"""

from ...core.deformation import check_temperature_range
from ...core.stability import relative_stability
from ...data.datasets import split_dataset
from ...data.probe import NoisyImages
from ..measuring import error_columns, evaluated_networks, probe_on, settings_of, stability_columns
from ..registry import Given, Measured


def measure_noise_training(given: Given) -> Measured:
    """Measure a training's network when trained: D, G and R, its errors, and the ``noise`` that it was trained with.

    Returns:
        Rows of the table ``noise_training``: one for images as the network was trained on (``images`` is ``noisy``), and one
        for the images themselves (``clean``). Test errors are of images with noise.

    Raises:
        InputError: a checkpoint that cannot be read, or a cutoff without a temperature range for these images.
    """
    check_temperature_range(given.dataset.image_size, given.stability.cutoff)
    *_, trained = evaluated_networks(given.checkpoints, given.device)
    split = trained.metadata["split"]
    clean = probe_on(given.dataset, given.probe, given.device)
    noisy = NoisyImages(clean, split["noise"], given.probe.seed)
    errors = error_columns(trained, split_dataset(given.dataset, **split))
    return Measured(
        [
            {
                **trained.columns,
                "noise": split["noise"],
                "images": name,
                **stability_columns(
                    relative_stability(trained.network, images, **settings_of(given.stability, given.probe))
                ),
                **errors,
            }
            for name, images in (("noisy", noisy), ("clean", clean))
        ]
    )
