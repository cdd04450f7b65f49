from ..claim_measures import MissingError, Tables
from ..words import averaged_over, count_of, each, factor, percent
from .claims import deformation_stability_falls, errors, noise_stability_rises, smooth_over_rough, trained


def describe_scale_detection(tables: Tables) -> str:
    """How well nets solve the task, what D and G do over depth, and what becomes of filters."""
    rows = trained(tables)
    deformation = {net: found.value for net, found in deformation_stability_falls(tables).items()}
    noise = {net: found.value for net, found in noise_stability_rises(tables).items()}
    falling = count_of(sum(value < 1 for value in deformation.values()), len(deformation))
    rising = count_of(sum(value > 1 for value in noise.values()), len(noise))
    sentences = [
        f"Trained on {rows.train_size.max():,} images, the error is {each(errors(tables), percent)}.",
        f"From the first operation to the last :math:`D_k` then changes by a factor of {each(deformation, factor)} (it falls in "
        f"{falling}) and :math:`G_k` by {each(noise, factor)} (it rises in {rising}).",
        _filters(tables),
        averaged_over(rows.seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


def _filters(tables: Tables) -> str:
    try:
        gains = {net: found.value for net, found in smooth_over_rough(tables).items()}
    except MissingError:
        return ""
    return (
        f"The constant component of filters gains over the roughest one by a factor of {each(gains, factor)}, mean of "
        "convolutions."
    )
