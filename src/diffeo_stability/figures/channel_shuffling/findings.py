import pandas as pd

from ...networks.catalogue import label_of
from ..claim_measures import MissingError, Tables, means_by_network
from ..words import each, listed, percent, plural
from .claims import as_claimed, at_output


def describe_channel_shuffling(tables: Tables) -> str:
    """Which share of the gain in D and in R survives at the nets' output, and what other batch-norm statistics give."""
    summary = tables["channel_shuffling_summary"]
    claimed = as_claimed(summary)
    count = claimed.seed.nunique()
    over = f" (means over {plural(count, 'seed')})" if count > 1 else ""
    sentences = [
        f"At the nets' output{over}, {_surviving(claimed, 'D')} by :math:`D`; by :math:`R`, {_surviving(claimed, 'R')}.",
        _other_statistics(summary),
    ]
    return " ".join(filter(None, sentences))


def _shares(rows: pd.DataFrame, quantity: str) -> dict[str, float]:
    """Share of the gain by net, of those that have one."""
    try:
        found = means_by_network(at_output(rows, quantity), "share", signed=True)
    except MissingError:
        return {}
    return {net: measured.value for net, measured in found.items()}


def _surviving(rows: pd.DataFrame, quantity: str) -> str:
    shares = _shares(rows, quantity)
    without = [label for label in map(label_of, rows.net.unique()) if label not in shares]
    nothing = f"training gains nothing in {listed(without)}" if without else ""
    surviving = f"the share of the gain that survives is {each(shares, percent)}" if shares else ""
    return ", and ".join(filter(None, [surviving, nothing]))


def _other_statistics(summary: pd.DataFrame) -> str:
    """What the share in D is by the other choices of batch-norm statistics, of nets that have some."""
    normalised = summary[summary.batch_norm != "none"]
    if normalised.empty:
        return ""
    kept = _shares(normalised[(normalised.batch_norm == "kept") & (normalised.init_batch_norm == "batch")], "D")
    estimated = _shares(
        normalised[(normalised.batch_norm == "re-estimated") & (normalised.init_batch_norm == "estimated")], "D"
    )
    words = [
        f"with shuffled nets' statistics kept it would be {each(kept, percent)} by :math:`D`" if kept else "",
        f"with those at init estimated on training images {each(estimated, percent)}" if estimated else "",
    ]
    text = ", and ".join(filter(None, words))
    return f"{text[0].upper()}{text[1:]}." if text else ""
