import pandas as pd

from ..claim_measures import Tables
from ..words import each, percent, plural
from .claims import as_claimed, shares_of, what_is_left


def describe_channel_shuffling(tables: Tables) -> str:
    """Which share of the gain in D and in R survives at the nets' output, and what other batch-norm statistics give."""
    summary = tables["channel_shuffling_summary"]
    claimed = as_claimed(summary)
    count = claimed.seed.nunique()
    over = f" (means over {plural(count, 'seed')})" if count > 1 else ""
    since = ", since weights drawn anew where a net's own init is not known," if claimed.imported.any() else ""
    sentences = [
        f"Of the gain in :math:`\\log D_f` at the nets' output{since or ','} the shuffle leaves "
        f"{what_is_left(claimed, 'D')}{over}; of that in :math:`\\log R_f`, {what_is_left(claimed, 'R')}.",
        _other_statistics(summary),
    ]
    return " ".join(filter(None, sentences))


def _other_statistics(summary: pd.DataFrame) -> str:
    """What the share in D is by the other choices of batch-norm statistics, of nets that have some."""
    choices = {
        "batch-norm's statistics of trained and shuffled nets kept as training left them": ("kept", "batch"),
        "those at init estimated on training images": ("re-estimated", "estimated"),
    }
    words = []
    for what, (batch_norm, init_batch_norm) in choices.items():
        rows = summary[(summary.batch_norm == batch_norm) & (summary.init_batch_norm == init_batch_norm)]
        shares = {} if rows.empty else shares_of(rows, "D")
        if shares:
            words.append(f"{each(shares, percent)} with {what}")
    return f"Of that in :math:`\\log D_f` it would leave {', and '.join(words)}." if words else ""
