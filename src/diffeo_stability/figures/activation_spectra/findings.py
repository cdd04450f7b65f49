import pandas as pd

from ..claim_measures import MissingError, Tables, means_by_network, rows_where, values_of
from ..states import as_shown
from ..words import averaged_over, count_of, each, factor, network, span, verbatim
from .claims import CONVOLUTIONS, change_by_relus, change_by_training, trained_convolutions


def describe_activation_spectra(tables: Tables) -> str:
    """By how much training and ReLUs move power to other wavenumbers, and what the other reading of batch-norm gives."""
    try:
        convolutions = trained_convolutions(tables)
    except MissingError:
        sentences = [_trained_alone(tables)]
    else:
        sentences = [_changes(convolutions), _other_reading(tables, convolutions)]
    return " ".join(
        filter(None, [*sentences, _relus(tables), averaged_over(tables["activation_spectra_summary"].seed.nunique())])
    )


def _changes(convolutions: pd.DataFrame) -> str:
    means = values_of(change_by_training(convolutions, fewest=2))
    lower = sum(value < 1 for value in means.values())
    drawn_anew = ", the init being drawn anew where weights were brought along" if convolutions.imported.any() else ""
    return (
        f"The mean wavenumber after convolutions, trained over init, is {each(means, factor)} "
        f"(mean over convolutions with maps of at least 4 pixels{drawn_anew}); training lowers it in "
        f"{count_of(lower, len(means))}. {_extreme(convolutions)}"
    )


def _extreme(convolutions: pd.DataFrame) -> str:
    """The convolution that training changes most."""
    if convolutions.groupby("net").operation_index.nunique().max() == 1:
        return ""
    found = {
        (net, operation): next(iter(means_by_network(rows, "ratio_to_init").values()))
        for (net, operation), rows in convolutions.groupby(["net", "operation"], sort=False)
    }
    (net, operation), most = max(found.items(), key=lambda item: max(item[1].value, 1 / item[1].value))
    return f"It changes most after {verbatim(operation)} of {network(net)}, by a factor of {factor(most.value)}."


def _relus(tables: Tables) -> str:
    try:
        found = values_of(change_by_relus(tables, "convolutional", "convolutional nets", fewest=2))
    except MissingError:
        return ""
    return f"ReLUs of trained nets change it by a factor of {each(found, factor)}, mean over the ReLUs of a net."


def _other_reading(tables: Tables, convolutions: pd.DataFrame) -> str:
    """Trained over init with batch-norm statistics of training images, estimated once."""
    table = tables["activation_spectra_summary"]
    estimated = table[table.batch_norm == "estimated"]
    if estimated.empty:
        return ""
    which = ["net", "seed", "operation"]
    both = convolutions.merge(estimated[[*which, "mean_wavenumber"]], on=which, suffixes=("", "_init"))
    # The interval is not used
    ratio = both.mean_wavenumber / both.mean_wavenumber_init
    both = both.assign(ratio_to_init=ratio, ratio_to_init_low=ratio, ratio_to_init_high=ratio)
    values = values_of(change_by_training(both, fewest=2))
    return f"Against an init whose batch-norm was estimated once on training images it would be {each(values, factor)}."


def _trained_alone(tables: Tables) -> str:
    rows = rows_where(
        as_shown(tables["activation_spectra_summary"]),
        "convolutions of trained nets",
        state="trained",
        kind=CONVOLUTIONS,
    )
    last = rows[rows.operation_index == rows.groupby("net").operation_index.transform("max")]
    means = values_of(means_by_network(last, "mean_wavenumber"))
    white = span(last.mean_wavenumber_white)
    return (
        "Without an init there is nothing to compare with; after the last convolution with maps of at least 4 pixels, the mean "
        f"wavenumber of trained nets is {each(means)}, where white noise has {white}."
    )
