import pandas as pd

from ..claim_measures import MissingError, Tables, means_by_network
from ..words import each, listed, network, percent, plural
from .claims import as_claimed, at_output


def describe_channel_shuffling(tables: Tables) -> str:
    """Which share of the gain in D and in R survives at the nets' output, and what other batch-norm statistics give."""
    summary = tables["channel_shuffling_summary"]
    claimed = as_claimed(summary)
    count = claimed.seed.nunique()
    over = f" (means over {plural(count, 'seed')})" if count > 1 else ""
    since = ", since weights drawn anew where a net's own init is not known," if claimed.imported.any() else ""
    sentences = [
        f"Of the gain in :math:`\\log D` at the nets' output{since or ','} the shuffle leaves {_left(claimed, 'D')}{over}; "
        f"of that in :math:`\\log R`, {_left(claimed, 'R')}.",
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


def _left(rows: pd.DataFrame, quantity: str) -> str:
    shares = _shares(rows, quantity)
    without = [network(net) for net in rows.net.unique() if net not in shares]
    if not shares:
        return f"nothing can be said: training has none in {listed(without)}"
    return each(shares, percent) + (f" (training has none in {listed(without)})" if without else "")


def _other_statistics(summary: pd.DataFrame) -> str:
    """What the share in D is by the other choices of batch-norm statistics, of nets that have some."""
    choices = {
        "batch-norm's statistics of trained and shuffled nets kept as training left them": ("kept", "batch"),
        "those at init estimated on training images": ("re-estimated", "estimated"),
    }
    words = []
    for what, (batch_norm, init_batch_norm) in choices.items():
        rows = summary[(summary.batch_norm == batch_norm) & (summary.init_batch_norm == init_batch_norm)]
        shares = {} if rows.empty else _shares(rows, "D")
        if shares:
            words.append(f"{each(shares, percent)} with {what}")
    return f"Of that in :math:`\\log D` it would leave {', and '.join(words)}." if words else ""
