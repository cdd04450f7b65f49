import pandas as pd

from ..claim_measures import (
    Found,
    Measured,
    MissingError,
    Noted,
    Tables,
    by_network,
    mean_over_seeds,
    means_by_network,
    measures,
    quotients,
    rows_of_kind,
    rows_where,
)
from ..left_out import noted_without
from ..states import as_shown
from ..words import each, fold, listed, network

IMAGENET_SIZE = 128  # pixels along a side; images of so many and more are ImageNet's, or like them
NO_BUMP = "they have no bump, or too little noise to change surely 5% of their predictions"


def _deep(tables: Tables, state: str, perturbation: str = "noise") -> pd.DataFrame:
    """Summaries of the logits' curves of deep nets, as figures show them."""
    what = {"state": state, "perturbation": perturbation, "output": "logits"}
    rows = rows_where(as_shown(tables["noise_curves_summary"]), f"{perturbation} curves {state}", **what)
    return rows_of_kind(rows, "deep", f"{perturbation} curve of a deep net")


def _trainings(tables: Tables, rows: pd.DataFrame) -> str:
    """How many trainings of each net count, where some have no bump; nothing where all of them do."""
    all_of, some = (table.groupby("net", sort=False).seed.nunique() for table in (_deep(tables, "trained"), rows))
    parts = [f"{count} of {all_of[net]} in {network(net)}" for net, count in some.items() if count < all_of[net]]
    return f"trainings that count: {listed(parts)}" if parts else ""


def _with_bump(tables: Tables) -> pd.DataFrame:
    """Trained deep nets in which G / r^2 has a bump."""
    return rows_where(_deep(tables, "trained"), "trained deep net with a bump", bump=True)


def bump_in_units_of(rows: pd.DataFrame, norm: str) -> dict[str, Measured]:
    """r* over a norm of the images, by network: the norm is known exactly."""
    columns = ["bump_r", "bump_r_low", "bump_r_high"]
    return means_by_network(rows.assign(**{column: rows[column] / rows[norm] for column in columns}), "bump_r")


@measures("4")
def exponents(tables: Tables) -> dict[str, Measured]:
    """Exponent over the smallest decade, of each net the one furthest from 2, over states, perturbations and outputs."""

    def worst(rows: pd.DataFrame) -> Measured:
        means = mean_over_seeds(rows, "exponent", ["state", "perturbation", "output"], signed=True)
        return max(means, key=lambda exponent: abs(exponent.value - 2))

    return by_network(as_shown(tables["noise_curves_summary"]), worst)


@measures("5a")
def bump(tables: Tables) -> dict[str, Measured]:
    """Height of the interior maximum over the level at small r; what stands out too little to be a bump counts by that alone: a
    rise to the end of the range has no interior maximum, and a ripple on it is none to speak of."""
    rows = _deep(tables, "trained").copy()
    for end in ("", "_low", "_high"):
        lower = rows[[f"bump_height{end}", f"prominence{end}"]].min(axis=1)
        rows[f"bump_height{end}"] = rows[f"bump_height{end}"].where(rows.bump, lower)
    return means_by_network(rows, "bump_height")


def rises(rows: pd.DataFrame) -> dict[str, float]:
    """By what factor curves rise above their level, of the nets in which no interior maximum says it.

    The highest place may be the end of the range, or so near to it that no fall can be seen beyond.
    """
    least = to_speak_of(rows)
    rise, height, prominence = (means_by_network(rows, name) for name in ("rise", "bump_height", "prominence"))
    told = {net: max(1.0, height[net].value) if prominence[net].value > least else 1.0 for net in rise}
    return {net: found.value for net, found in rise.items() if found.value > least * told[net]}


def to_speak_of(rows: pd.DataFrame) -> float:
    """The factor from which on a rise or a maximum is one."""
    return 1 + rows.tolerance.max()


def _prominence(rows: pd.DataFrame) -> Found:
    """Prominence of an interior maximum; beside it the rise to where none can be told, which is not hidden as 1."""
    found, rising = means_by_network(rows, "prominence"), rises(rows)
    return Noted(found, f"with no maximum to tell of it the curve rises {each(rising, fold)}") if rising else found


@measures("5b")
def bump_at_init(tables: Tables) -> Found:
    return _prominence(_deep(tables, "init"))


@measures("5c")
def bump_and_changes(tables: Tables) -> Noted:
    """r* over the norm at which 5% of the predictions have changed.

    On ImageNet the deck found the bump elsewhere (5d). A run does not say whose images it has, so that their size decides.
    """
    rows = _with_bump(tables)
    small = rows[rows.image_size < IMAGENET_SIZE]
    if small.empty:
        raise MissingError(
            f"the run has no images of fewer than {IMAGENET_SIZE} pixels along a side, and larger ones are taken for ImageNet's: "
            "for ImageNet see 5d"
        )
    small = rows_where(
        small.assign(changed=small[["r_changed", "r_changed_high"]].notna().all(axis=1)),
        "trained deep net with a bump and enough noise to change 5% of its predictions",
        changed=True,
    )
    ratios = quotients(means_by_network(small, "bump_r"), means_by_network(small, "r_changed"))
    images = f"images of fewer than {IMAGENET_SIZE} pixels along a side, which are taken not to be ImageNet's"
    counting = _trainings(tables, small)
    return Noted(
        noted_without(ratios, _deep(tables, "trained").net, NO_BUMP), "; ".join(filter(None, (images, counting)))
    )


@measures("5d")
def bump_and_contrast(tables: Tables) -> Found:
    rows = _with_bump(tables)
    found = noted_without(bump_in_units_of(rows, "contrast_norm"), _deep(tables, "trained").net, "they have no bump")
    counting = _trainings(tables, rows)
    return Noted(found, counting) if counting else found


@measures("5e")
def bump_of_deformations(tables: Tables) -> Found:
    return _prominence(_deep(tables, "trained", "deformation"))
