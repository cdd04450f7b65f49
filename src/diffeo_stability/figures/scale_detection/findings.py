from collections.abc import Callable

from ..claim_measures import Measured, MissingError, Tables, over_depth
from ..words import count_of, each, factor, listed, network, percent, plural
from .claims import errors, gains, learnt, trained, unlearnt


def describe_scale_detection(tables: Tables) -> str:
    """How well nets solve the task, and of those that do, what D and G do over depth and what becomes of filters."""
    rows = trained(tables)
    others = [network(net) for net in unlearnt(rows)]
    sentences = [
        f"Trained on {rows.train_size.max():,} images, the error is {each(errors(tables), percent)}.",
        f"Not better than guessing, in some seed, and left out of what follows: {listed(others)}." if others else "",
        _over_depth(tables),
        _filters(tables),
        _averaged(rows.seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


def _values(measure: Callable[[], dict[str, Measured]]) -> dict[str, float]:
    """What was measured, by network; nothing where no network has what it takes."""
    try:
        return {net: found.value for net, found in measure().items()}
    except MissingError:
        return {}


def _over_depth(tables: Tables) -> str:
    deformation, noise = (
        _values(lambda quantity=quantity: over_depth(learnt(tables), quantity)) for quantity in ("D", "G")
    )
    if not deformation:
        return ""
    falling = count_of(sum(value < 1 for value in deformation.values()), len(deformation))
    rising = count_of(sum(value > 1 for value in noise.values()), len(noise))
    return (
        "From the first operation to the last, by straight lines through the logarithms, :math:`D_k` then changes by a factor "
        f"of {each(deformation, factor)} (it falls in {falling}) and :math:`G_k` by {each(noise, factor)} (it rises in {rising})."
    )


def _filters(tables: Tables) -> str:
    found = _values(lambda: gains(tables))
    if not found:
        return ""
    return (
        f"The constant component of filters gains over the roughest one by a factor of {each(found, factor)}, mean of "
        "convolutions."
    )


def _averaged(seeds: int) -> str:
    return f"Over {plural(seeds, 'seed')}, errors are arithmetic means and factors geometric ones." if seeds > 1 else ""
