from ..claim_measures import Tables
from ..words import percent, span


def describe_deformations(tables: Tables) -> str:
    """How measured displacements compare with both formulas, and how much of the grid is visible and a diffeomorphism."""
    table = tables["deformations"]
    asymptotic = table.delta_measured / table.delta_formula
    exact = table.delta_measured / table.delta_exact
    size = table.image_size.iloc[0]
    below = table.temperature < table.temperature_min
    inside = ~below & (table.temperature <= table.temperature_max)
    return (
        f"Measured displacements are {span(asymptotic, _close)} times the asymptotic formula{_by_cutoff(table, asymptotic)}, and "
        f"{span(exact, _close)} times the mode sum, whose mean over pixels, with the border that stays in place, is "
        f":math:`(n - 1) / n = {_close((size - 1) / size)}` times that over the square. "
        f"Of the grid {percent(inside.mean())} ({inside.sum()} of {len(table)}) lies in the range of visible diffeomorphisms, "
        f"{percent(below.mean())} below it and {percent(1 - inside.mean() - below.mean())} above it."
    )


def _close(ratio: float) -> str:
    return f"{ratio:.2f}"


def _by_cutoff(table, ratio) -> str:
    """At which cutoffs the ratio is smallest and largest."""
    by_cutoff = ratio.groupby(table.cutoff).mean()
    if len(by_cutoff) == 1:
        return ""
    return f" (least at cutoff {by_cutoff.idxmin()}, most at {by_cutoff.idxmax()})"
