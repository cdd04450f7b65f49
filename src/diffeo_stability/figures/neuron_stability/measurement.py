"""How much neurons move when what is in their receptive field is translated, rotated, expanded or sheared.

Source: the November 2021 deck, "Is diffeo relative stability achieved also by getting locally invariant to the other linear
transformations?"
"""

from ...core.cropping import LayerView
from ...core.neurons import PATCH_CHOICES, Alphas, interval_of, measure_responses, unit_transformations
from ...core.seeds import generator_for
from ...data.probe import probe_images
from ..measuring import alphas_of, evaluated_networks, layer_columns, named_views, places_by_layer
from ..registry import Given, Measured


def measure_neuron_stability(given: Given) -> Measured:
    """Measure alpha of the neurons after every ReLU of a training's network, at init and trained.

    Returns:
        Rows of the table ``neuron_stability``, and of its summary: alpha of every other transformation over that of translations,
        with 95% bootstrap intervals over channels.

    Raises:
        InputError: a checkpoint that cannot be read, more images asked for than there are, or a network that is no plain sequence
            of operations.
    """
    dataset, settings, probe = given.dataset, given.settings, given.probe
    images = probe_images(dataset, settings.images, probe.seed, given.device)
    transformations = unit_transformations(len(images), generator_for("transformations", probe.seed))
    rows, summary = [], []
    for evaluated in evaluated_networks(given.checkpoints, given.device):
        network = evaluated.normalising_like(images, probe)
        views = named_views(network, evaluated.metadata["net"], dataset)
        places = places_by_layer(views, settings, probe)
        measured = measure_responses(
            network,
            views,
            places,
            images,
            transformations,
            size=settings.size,
            norm=settings.norm,
            batch_size=probe.batch_size,
        )
        for layer in layer_columns(evaluated.columns, measured):
            name = layer["layer"]
            alphas = alphas_of(measured[name], settings, probe, top=settings.strongest)
            counts = _counts(alphas, views[name], len(places[name]), len(images))
            rows += [layer | row | counts for row in _rows(alphas, list(transformations))]
            summary += [layer | row for row in _ratios(alphas, list(transformations))]
    return Measured(rows, summary)


def _counts(alphas: Alphas, view: LayerView, places: int, images: int) -> dict[str, int]:
    """Columns on how much a layer was measured on, and on the pixels along a side of its receptive fields."""
    start, stop = view.rows.receptive_field(0)
    return {
        "neurons": alphas.neurons,
        "left_out": alphas.left_out,
        "places": places,
        "all_places": len(view.places),
        "images": images,
        "receptive_field": stop - start,
    }


def _rows(alphas: Alphas, kinds: list[str]) -> list[dict]:
    low, high = interval_of(alphas.resampled)
    return [
        {
            "transformation": kind,
            "patch_choice": choice,
            "alpha": float(alphas.values[row, column]),
            "low": float(low[row, column]),
            "high": float(high[row, column]),
        }
        for row, choice in enumerate(PATCH_CHOICES)
        for column, kind in enumerate(kinds)
    ]


def _ratios(alphas: Alphas, kinds: list[str]) -> list[dict]:
    """Alpha of every transformation but the first over that of the first."""
    values = alphas.values[:, 1:] / alphas.values[:, :1]
    low, high = interval_of(alphas.resampled[:, 1:] / alphas.resampled[:, :1])
    return [
        {
            "transformation": kind,
            "patch_choice": choice,
            "ratio_to_translation": float(values[row, column]),
            "ratio_low": float(low[row, column]),
            "ratio_high": float(high[row, column]),
        }
        for row, choice in enumerate(PATCH_CHOICES)
        for column, kind in enumerate(kinds[1:])
    ]
