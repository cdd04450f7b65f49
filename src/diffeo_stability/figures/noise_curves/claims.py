import numpy as np
import pandas as pd

from ..claim_measures import Measured, Tables, largest, mean_over_seeds, measures, rows_of_kind, rows_where, smallest


def _noise(tables: Tables, state: str) -> pd.DataFrame:
    """Summaries of G of the logits of deep nets; a curve whose largest value is at an end of its range has no height."""
    what = {"state": state, "perturbation": "noise", "output": "logits"}
    curves = rows_where(tables["noise_curves"], f"noise curves {state}", **what)
    summary = rows_of_kind(
        rows_where(tables["noise_curves_summary"], f"noise curves {state}", **what), "deep", "noise curve of a deep net"
    )
    first, last = curves.r.min(), curves.r.max()
    at_an_end = ~summary.bump_r.between(first, last, inclusive="neither")
    columns = ["bump_height", "bump_height_low", "bump_height_high"]
    summary = summary.copy()
    summary.loc[at_an_end, columns] = 1.0
    return summary


@measures("5c")
def changed_at_bump(tables: Tables) -> list[Measured]:
    summary = _noise(tables, "trained")
    summary = rows_where(summary, "deep net with a bump", bump=True)
    curves = rows_where(tables["noise_curves"], "noise curves", state="trained", perturbation="noise", output="logits")
    found = []
    for row in summary.itertuples():
        curve = curves[(curves.net == row.net) & (curves.seed == row.seed)]
        log_norms = np.log([row.bump_r, row.bump_r_low, row.bump_r_high])
        found.append(Measured(*map(float, np.interp(log_norms, np.log(curve.r), curve.changed))))
    return found


@measures("4")
def exponents(tables: Tables) -> list[Measured]:
    """Exponent over the smallest decade, of every curve."""
    curve = ["net", "state", "perturbation", "output"]
    return mean_over_seeds(tables["noise_curves_summary"], "exponent", curve, signed=True)


@measures("5a")
def smallest_bump(tables: Tables) -> Measured:
    """Smallest height of the bump of trained deep nets."""
    return smallest(mean_over_seeds(_noise(tables, "trained"), "bump_height", ["net"]))


@measures("5b")
def largest_bump_at_init(tables: Tables) -> Measured:
    """Largest height of the bump of deep nets at init."""
    return largest(mean_over_seeds(_noise(tables, "init"), "bump_height", ["net"]))
