from ..claim_measures import Measured, Tables, mean_over_seeds, measures, quotient, rows_where, smallest


@measures("6")
def unlike_noise(tables: Tables) -> Measured:
    """By what factor the curves towards another image and with noise differ at most, in the net where that is smallest.

    Up to half of the way, and whichever is above the other: the deck names no direction.
    """
    table = rows_where(tables["interpolation_curves"], "interpolation curves", state="trained", output="logits")
    table = table[table.r <= table.datapoint_distance / 2]
    curves = [
        rows_where(table, f"curve of {kind} up to half of the way", perturbation=kind)
        for kind in ("datapoint", "noise")
    ]
    distances = (mean_over_seeds(curve, "distance", ["net", "r"]) for curve in curves)
    largest: dict[str, Measured] = {}
    for net, datapoint, noise in zip(curves[0].drop_duplicates(["net", "r"]).net, *distances, strict=True):
        factor = max(quotient(datapoint, noise), quotient(noise, datapoint), key=lambda ratio: ratio.value)
        largest[net] = max(largest.get(net, factor), factor, key=lambda ratio: ratio.value)
    return smallest(largest.values())
