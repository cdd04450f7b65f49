"""What tests of claims and findings share: tables made by hand, written as a run writes them, and what is said of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from diffeo_stability.figures import FIGURES
from diffeo_stability.figures.words import with_labels
from diffeo_stability.networks.catalogue import networks
from diffeo_stability.pipeline.captions import as_html
from diffeo_stability.pipeline.claims import ANSWERS, Claim, Tables, evaluate_claims

ENTRIES = yaml.safe_load((Path(__file__).parents[1] / "config" / "claims.yaml").read_text())
LABELS = {name: network.label for name, network in networks().items()}
CLAIMS = {claim.name: claim for claim in (Claim(**entry) for entry in ENTRIES)}


def written(folder, tables):
    """Tables as a run has them, from rows by name."""
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    return Tables({name: folder / f"{name}.csv" for name in tables})


def decided(name, folder, tables):
    """The row of the table ``claims`` that a claim gets."""
    return evaluate_claims([CLAIMS[name]], written(folder, tables), LABELS).iloc[0]


def reaches_every_verdict(name, folder, make, accepted, refused, edge):
    """Check that a claim or question reaches each verdict, or answer, by tables ``make(value, half)`` around a value.

    Args:
        accepted, refused: values within and outside of the criterion, measured exactly; ``None`` if there is none.
        edge: a value that lies on the criterion, measured with a wide interval.
    """
    claim = CLAIMS[name]
    for verdict, value in (("reproduced", accepted), ("not reproduced", refused), ("inconclusive", edge)):
        if value is None:
            continue
        row = decided(name, folder, make(value, 0.6 if verdict == "inconclusive" else 0.01))
        assert row.verdict == (verdict if claim.kind == "claim" else ANSWERS[verdict]), dict(row)
        assert row.low <= row.measured <= row.high
        assert row.measured == pytest.approx(value, rel=0.1, abs=0.02)


def said(stem, folder, tables):
    """What a figure's caption says of tables; it must be reStructuredText on its own."""
    text = with_labels(FIGURES[stem].describe(written(folder, tables)), LABELS)
    as_html(f"**Title.** {text}", stem)
    return text


def with_interval(name, value, half):
    """A column with its interval, wide or narrow on a logarithmic scale."""
    return {name: value, f"{name}_low": value * np.exp(-half), f"{name}_high": value * np.exp(half)}


def around(name, value, half):
    """A column with an interval that is symmetric about it."""
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}


def spread_about(value, half, count=6):
    """Numbers of a given geometric mean; their spread makes an interval of about ``half`` in logarithm."""
    return value * np.exp(np.linspace(-1, 1, count) * half)
