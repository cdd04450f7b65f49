import numpy as np
import pandas as pd

from ..claim_measures import Noted, Tables, interval_in_row, measures, rows_where


def exponents(tables: Tables, *, strided: bool) -> pd.DataFrame:
    """Exponents of the net with stride 1, or of the strided one, with the longest inputs and noise rectified as in the source."""
    table = tables["constant_filters_summary"]
    table = rows_where(table, "nets with constant filters", against="depth", rectified="everywhere")
    rows = rows_where(table.assign(strided=table.stride > 1), "such net", strided=strided)
    return rows[rows.length == rows.length.max()]


def _exponent(tables: Tables, quantity: str, *, strided: bool) -> Noted:
    """The exponent with the longest inputs; beside it, over which layers that is, what it would be from the first layer on, and
    with inputs as short as the source's, where there are some."""
    row = rows_where(exponents(tables, strided=strided), f"exponent of {quantity}", quantity=quantity).iloc[0]
    table = tables["constant_filters_summary"]
    same = (table.against == "depth") & (table.rectified == "everywhere") & (table.stride == row.stride)
    shorter = table[same & (table.quantity == quantity) & (table.length < row.length)].sort_values("length")
    note = f"layers {row.first_layer:g} to {row.last_layer:g}, inputs of {row.length:,.0f} pixels"
    if row.first_layer > 1:
        note += f"; {_from_the_first_layer(tables, row):.3g} from layer 1 on"
    if len(shorter):
        note += f"; {shorter.exponent.iloc[0]:.3g} with inputs of {shorter.length.iloc[0]:,.0f}"
    return Noted(interval_in_row(row, "exponent"), note)


def _from_the_first_layer(tables: Tables, row: pd.Series) -> float:
    """Exponent of the quantity of a row of the summary from layer 1 to that row's last one."""
    table = tables["constant_filters"]
    what = {"against": "depth", "stride": row.stride, "length": row.length, "rectified": "everywhere"}
    layers = rows_where(table[table.layer_index <= row.last_layer], "layers of that net", **what)
    return float(np.polyfit(np.log(layers.scale), np.log(layers[row.quantity]), 1)[0])


@measures("18a", "D")
def shift_at_stride_1(tables: Tables) -> Noted:
    return _exponent(tables, "D", strided=False)


@measures("18a", "G")
def noise_at_stride_1(tables: Tables) -> Noted:
    return _exponent(tables, "G", strided=False)


@measures("18a", "R")
def relative_at_stride_1(tables: Tables) -> Noted:
    return _exponent(tables, "R", strided=False)


@measures("18b", "D")
def shift_with_strides(tables: Tables) -> Noted:
    return _exponent(tables, "D", strided=True)


@measures("18b", "G")
def noise_with_strides(tables: Tables) -> Noted:
    return _exponent(tables, "G", strided=True)


@measures("18b", "R")
def relative_with_strides(tables: Tables) -> Noted:
    return _exponent(tables, "R", strided=True)
