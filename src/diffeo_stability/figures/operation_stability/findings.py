from ..claim_measures import MissingError, Tables, means_by_network, rows_where, values_of
from ..drawn_anew import in_brackets
from ..states import as_shown
from ..words import averaged_over, count_of, each, factor, span, verbatim
from .claims import changes_of_vggs, factors_in_words, fall_with_depth, has_init, in_words


def describe_operation_stability(tables: Tables) -> str:
    """What becomes of R over depth, which operations lower and raise D, G and R, and what the other batch-norm gives."""
    table = as_shown(tables["operation_stability"])
    trained = rows_where(table, "trained nets", state="trained")
    ends = _ends(trained, "R")
    init = table[table.state == "init"]
    sentences = [
        f"At the last operation :math:`R_k` of trained nets is {each(ends)}"
        + (f", at init {span(_ends(init, 'R').values())}{in_brackets(init)}." if len(init) else "."),
        _over_depth(trained, init),
        _kinds(tables),
        _other_reading(tables["operation_stability"]),
        averaged_over(table.seed.nunique()),
    ]
    return " ".join(filter(None, sentences))


def _ends(rows, quantity: str) -> dict[str, float]:
    """A quantity after the last operation of every net."""
    last = rows[rows.operation_index == rows.groupby("net").operation_index.transform("max")]
    return values_of(means_by_network(last, quantity))


def _over_depth(trained, init) -> str:
    """By what factor R changes from the first to the last convolution."""
    try:
        found = values_of(fall_with_depth(trained))
    except MissingError:
        return ""
    falling = count_of(sum(value < 1 for value in found.values()), len(found))
    text = (
        "From the first to the last convolution, by the straight line through its logarithm, it changes by a factor of "
        f"{each(found, factor)}: it falls in {falling}"
    )
    try:
        initial = [measured.value for measured in fall_with_depth(init).values()]
    except MissingError:
        return f"{text}."
    return f"{text}; at init the factor is {span(initial, factor)}."


def _kinds(tables: Tables) -> str:
    try:
        changes = changes_of_vggs(tables, "trained")
    except MissingError:
        return ""
    factors = "; ".join(f":math:`{quantity}_k`, {verbatim(factors_in_words(tables, quantity))}" for quantity in "DGR")
    at_init = " (in brackets, at init)" if has_init(tables) else ""
    words = "; ".join(f":math:`{quantity}_k` is {verbatim(in_words(changes, quantity))}" for quantity in "DGR")
    return (
        f"In trained VGGs {words} (the kinds of operation whose interval excludes 1 in the median net; in brackets, how many of "
        f"their operations do so). After / before an operation of a kind is, in the median net{at_init}: {factors}."
    )


def _other_reading(table) -> str:
    estimated = table[table.batch_norm == "estimated"]
    if estimated.empty:
        return ""
    return (
        f"With batch-norm estimated once on training images, :math:`R_k` after the last operation would be "
        f"{each(_ends(estimated, 'R'))} at init."
    )
