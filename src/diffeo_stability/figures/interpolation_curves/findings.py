import pandas as pd

from ..claim_measures import MissingError, Tables, by_network, values_of
from ..states import as_shown
from ..words import averaged_over, each, number
from .claims import ratios, unlike_noise, up_to_half_way


def describe_interpolation_curves(tables: Tables) -> str:
    """By what factor moving towards another image moves the output further than noise does, and by how much more it changes
    predictions."""
    table = tables["interpolation_curves"]
    trained = up_to_half_way(table, "trained")
    smallest, last = _ratios(trained, min), _ratios(trained, max)
    largest = values_of(unlike_noise(tables))
    reach = table.datapoint_distance.mean()
    sentences = [
        "The squared distance of the logits towards another image, over that with noise of the same norm, is, trained, "
        f"{each(smallest)} at the smallest norm, and {each(last)} at the last one up to half way (on average the two images are "
        f"{number(reach)} apart); up to there the two curves differ by a factor of at most {each(largest)}.",
        _at_init(table),
        averaged_over(as_shown(table).seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


def _ratios(rows: pd.DataFrame, pick) -> dict[str, float]:
    """Ratio of the curves at the norm picked of each network's."""

    def at_norm(own: pd.DataFrame):
        found = ratios(own)
        if not found:
            raise MissingError("the run has no norm up to half of the way to the other image")
        return found[pick(found)]

    return values_of(by_network(rows, at_norm))


def _at_init(table: pd.DataFrame) -> str:
    try:
        initial = up_to_half_way(table, "init")
    except MissingError:
        return ""
    drawn_anew = ", weights drawn anew where a net's own were brought along," if initial.imported.any() else ""
    words = f"At init{drawn_anew} the ratio at the smallest norm is {each(_ratios(initial, min))}"
    estimated = table[(table.batch_norm == "estimated") & (table.output == "logits")]
    if len(estimated):
        words += f", and {each(_ratios(estimated, min))} with batch-norm estimated once on training images"
    return f"{words}."
