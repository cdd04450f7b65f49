import numpy as np
import pandas as pd

from ..claim_measures import Tables
from ..states import as_shown
from ..words import averaged_over, listed, percent, span


def describe_receptive_fields(tables: Tables) -> str:
    """How large effective fields are beside the theoretical ones, and what rotations about another centre do."""
    fields, alphas = tables["receptive_fields"], tables["receptive_fields_summary"].dropna(subset="alpha")
    shown = as_shown(fields)
    states = [state for state in ("trained", "init") if state in set(shown.state)]
    names = {"trained": "trained", "init": "drawn anew" if shown.imported.all() else "at init"}
    sizes = [f"{_last_sizes(shown[shown.state == state])} {names[state]}" for state in states]
    theory = span(_in_last_layer(shown)["size"], lambda size: f"{size:.0f}")
    sentences = [
        f"In the last layer the theoretical receptive field is {theory} pixels wide, the effective one {listed(sizes)}"
        f"{_other_reading(fields)}; over all layers the effective one has {_shares(shown)} of the theoretical width, "
        "or of the image's where that is smaller."
    ]
    if len(alphas):
        sentences.append(_rotations(as_shown(alphas), states, names))
    return " ".join(filter(None, [*sentences, averaged_over(fields.seed.nunique())]))


def _in_last_layer(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows.layer_index == rows.groupby("net").layer_index.transform("max")]


def _means(rows: pd.DataFrame, column: str, by: list[str]) -> pd.Series:
    """Geometric means over seeds."""
    return np.exp(np.log(rows[column]).groupby([rows[name] for name in by]).mean())


def _last_sizes(rows: pd.DataFrame) -> str:
    return span(_means(_in_last_layer(rows), "effective_size", ["net"]))


def _shares(rows: pd.DataFrame) -> str:
    """Effective over theoretical width, the latter no more than the image's."""
    shares = rows.assign(share=rows.effective_size / rows["size"].clip(upper=rows.image_size))
    return span(_means(shares, "share", ["net", "state", "layer_index"]), percent)


def _other_reading(fields: pd.DataFrame) -> str:
    """What statistics of training images, estimated once, give at init instead."""
    estimated = fields[fields.batch_norm == "estimated"]
    return f" ({_last_sizes(estimated)} with batch-norm estimated on training images)" if len(estimated) else ""


def _rotations(alphas: pd.DataFrame, states: list[str], names: dict[str, str]) -> str:
    """The farthest rotation over the one about the fields' own centre, and over the translation that it is there."""
    means = _means(_in_last_layer(alphas), "alpha", ["state", "transformation", "distance", "net"])
    near, far = min(alphas.distance), max(alphas.distance)
    centre = "their field's own centre" if near == 0 else f"a point {near:g} pixels off"

    def times(state: str, other: pd.Series) -> str:
        return f"{span(means[state, 'rotation', far] / other)} ({names[state]})"

    than_near = [times(state, means[state, "rotation", near]) for state in states]
    than_moved = [times(state, means[state, "translation", far]) for state in states]
    return (
        f"There a rotation about a point {far:g} pixels off moves neurons {listed(than_near)} times as much as one about "
        f"{centre}, and {listed(than_moved)} times as much as the translation that it is."
    )
