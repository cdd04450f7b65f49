import pandas as pd

from ..claim_measures import Tables, rows_where
from ..words import number, span

TOLERANCE = 0.1
# What core.gradients calls the parts, which takes torch to import, in words
NAMES = {"translation": "translation", "rotation": "rotation", "compression": "compression", "pure_shear": "pure shear"}


def describe_field_decomposition(tables: Tables) -> str:
    """How well sizes agree with closed forms at pixels and on patches, and up to which patches those of small ones hold."""
    table = tables["field_decomposition"]
    table = table[table.temperature == table.temperature.iloc[0]].dropna(subset="norm_measured")
    table = table.assign(limit=table.norm_measured / table.norm_formula, exact=table.norm_measured / table.norm_finite)
    parts, patches = table[table.part.isin(NAMES)], table[table.patch_size > 1]
    pixels = parts[parts.patch_size == 1]
    sentences = []
    if len(pixels):
        sentences.append(f"At single pixels measured sizes are {span(pixels.limit, _close)} times their closed forms.")
    if len(patches):
        sentences += [_on_patches(patches), _where_small_patches_end(patches)]
    return " ".join(sentences)


def _close(ratio: float) -> str:
    return f"{ratio:.3f}"


def _on_patches(patches: pd.DataFrame) -> str:
    """Ratios on the largest patches, at the cutoffs where they are largest and smallest."""
    largest = patches[patches.patch_size == patches.patch_size.max()]
    parts = [f"{span(largest[largest.part == part].limit)} ({name})" for part, name in NAMES.items()]
    without = rows_where(largest, "patches", part="without_translation")
    return (
        f"On patches of {largest.patch_size.iloc[0]} pixels sizes are, over all cutoffs, {', '.join(parts)} "
        f"times those of infinitely small patches, and what is no translation {span(without.limit)} times; closed forms for "
        f"finite patches are met within {number(100 * (patches.exact - 1).abs().max())}%."
    )


def _where_small_patches_end(patches: pd.DataFrame) -> str:
    """The largest patches on which what is no translation is still as the formula for small ones says."""
    rows = rows_where(patches, "patches", part="without_translation")
    ends = []
    for cutoff in sorted({rows.cutoff.min(), rows.cutoff.max()}):
        own = rows[rows.cutoff == cutoff].sort_values("patch_size")
        beyond = own[(own.limit - 1).abs() > TOLERANCE].patch_size
        where = f"from {beyond.min()} pixels on" if len(beyond) else "on none of the patches"
        ends.append(f"{where} at cutoff {cutoff}")
    return (
        f"The formula for small patches misses what is no translation by more than {number(100 * TOLERANCE)}% "
        f"{' and '.join(ends)}."
    )
