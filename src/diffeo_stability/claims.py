"""The decks' claims, each measured from a run's tables, and what becomes of it: reproduced, not reproduced or inconclusive.

Which number decides, and where it was claimed, stands in ``config/claims.yaml``; how it is measured, here.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator
from scipy import stats

from .config import FIGURES, Block
from .errors import InputError, one_line
from .seeds import derive_seed
from .tables import read_table

Verdict = Literal["reproduced", "not reproduced", "inconclusive"]
DEEP = ("alexnet", "vgg", "resnet", "efficientnet")
CONVOLUTIONAL = (*DEEP, "lenet", "one_hidden_layer_cnn")
SIMPLE = ("lenet", "one_hidden_layer", "fully_connected")
Z = 1.959964  # of a 95% interval
RESAMPLES = 10_000


class Claim(Block):
    """A claim of the decks, as it stands in ``config/claims.yaml``."""

    claim: Annotated[str, Field(pattern=r"^\d+[a-z]?$")] = Field(
        description="number in science.md, and a letter for its parts"
    )
    stem: Literal[FIGURES] = Field(description="the figure that shows it")
    statement: str = Field(description="what is claimed, in a few words")
    measured: str = Field(description="the number that decides")
    above: float | None = Field(None, description="reproduced above this number")
    below: float | None = Field(None, description="reproduced below this number")
    source: str = Field(description="who claims it")

    @model_validator(mode="after")
    def _has_a_criterion(self):
        if self.above is None and self.below is None:
            raise ValueError("neither above nor below is given: a claim needs a criterion")
        return self

    @property
    def criterion(self) -> str:
        if self.above is None or self.below is None:
            return f"< {self.below:g}" if self.above is None else f"> {self.above:g}"
        return f"{self.above:g} to {self.below:g}"


class Measured(NamedTuple):
    """A number with its 95% interval."""

    value: float
    low: float
    high: float


# What the command that prints a table of claims needs of it
COLUMNS = ("claim", "statement", "measured", "low", "high", "criterion", "verdict", "reason")


class MissingError(Exception):
    """A run lacks what a claim needs; says what."""


class Tables:
    """The tables of a run, read when they are asked for.

    Args:
        paths: of the tables by name.
    """

    def __init__(self, paths: Mapping[str, str | Path]):
        self._paths = paths
        self._read = cache(read_table)

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._paths:
            raise MissingError(f"the run has no {name.removesuffix('_summary')}")
        return self._read(self._paths[name])


def load_claims(path: str | Path) -> list[Claim]:
    """Read the claims and their criteria.

    Raises:
        InputError: the file is missing, no YAML, or a claim is incomplete or stands there twice.
    """
    try:
        claims = TypeAdapter(list[Claim]).validate_python(yaml.safe_load(Path(path).read_text()))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"claims {path} cannot be read: {one_line(error)}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise InputError(f"claims {path}: entry {place}: {problem['msg']}") from None
    names = [claim.claim for claim in claims]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"claims {path}: claim {repeated} stands there more than once")
    unknown = next((name for name in names if name not in MEASURES), None)
    if unknown is not None:
        raise InputError(f"claims {path}: nothing measures claim {unknown}; there are {', '.join(MEASURES)}")
    return claims


def judge(claim: Claim, measured: Measured) -> Verdict:
    """Return a claim's verdict: by where the interval lies, within the criterion, outside of it, or across."""
    above, below = (
        infinity if limit is None else limit for limit, infinity in ((claim.above, -math.inf), (claim.below, math.inf))
    )
    if measured.low > above and measured.high < below:
        return "reproduced"
    if measured.high <= above or measured.low >= below:
        return "not reproduced"
    return "inconclusive"


def _worst(claim: Claim, found: Measured | list[Measured]) -> Measured:
    """Of several numbers the one that does worst: by its verdict, then by how far its interval reaches out of the criterion."""
    severity = {"reproduced": 0, "inconclusive": 1, "not reproduced": 2}

    def badness(one: Measured) -> tuple[int, float]:
        above = one.high - claim.below if claim.below is not None else -math.inf
        below = claim.above - one.low if claim.above is not None else -math.inf
        return severity[judge(claim, one)], max(above, below)

    return max([found] if isinstance(found, Measured) else found, key=badness)


def evaluate_claims(claims: Iterable[Claim], tables: Tables) -> pd.DataFrame:
    """Measure every claim from a run's tables: the table ``claims``, one row a claim."""
    rows = []
    for claim in claims:
        row = {"claim": claim.claim, "stem": claim.stem, "statement": claim.statement, "quantity": claim.measured}
        try:
            measured = _worst(claim, MEASURES[claim.claim](tables))
            verdict = judge(claim, measured)
            reason = "the interval straddles the criterion" if verdict == "inconclusive" else ""
        except MissingError as missing:
            measured, verdict, reason = Measured(math.nan, math.nan, math.nan), "inconclusive", str(missing)
        rows.append(
            row
            | {"measured": measured.value, "low": measured.low, "high": measured.high}
            | {"criterion": claim.criterion, "verdict": verdict, "reason": reason, "source": claim.source}
        )
    return pd.DataFrame(rows)


def format_measured(row: NamedTuple) -> str:
    """Return the number of a row of the table ``claims`` with its interval; or why there is none."""
    return f"{row.measured:.3g} [{row.low:.3g}, {row.high:.3g}]" if math.isfinite(row.measured) else row.reason


def format_claims(table: pd.DataFrame) -> str:
    """Return the table ``claims`` as short aligned lines, and a last line that counts the verdicts."""
    lines = [
        (row.claim, row.statement, format_measured(row), row.criterion, row.verdict)
        for row in table.fillna({"reason": ""}).itertuples()
    ]
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(4)]
    text = ["  ".join((*map(str.ljust, line, widths), line[-1])) for line in lines]
    counts = table.verdict.value_counts()
    text.append(", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in get_args(Verdict)))
    return "\n".join(text)


def _some(table: pd.DataFrame, what: str, **values: object) -> pd.DataFrame:
    """Rows in which columns have the values given, or one of several.

    Raises:
        MissingError: there are none.
    """
    for column, value in values.items():
        table = table[table[column].isin(value if isinstance(value, list) else [value])]
    if table.empty:
        raise MissingError(f"the run has no {what}")
    return table


def _of_kind(table: pd.DataFrame, kinds: tuple[str, ...], what: str) -> pd.DataFrame:
    """Rows of networks whose names begin so: also those of libraries (``timm:resnet18``) and of one's own (``package:vgg``)."""
    return _some(table[table.architecture.str.rpartition(":")[2].str.startswith(kinds)], what)


def _interval(row: pd.Series, name: str) -> Measured:
    return Measured(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))


def _over_seeds(table: pd.DataFrame, name: str, by: list[str], *, signed: bool = False) -> list[Measured]:
    """A quantity and its interval for every combination of the columns ``by``: means over seeds.

    With several seeds, the interval holds both the mean one of a seed and the t interval of the mean over seeds, whose scatter
    is taken to be the same for all combinations: two or three seeds of one net say little about it.

    Args:
        signed: a difference or share, which may be negative; other quantities are averaged by their logarithms.
    """
    there, back = (np.asarray, float) if signed else (np.log, math.exp)
    groups = [rows for _, rows in table.groupby(by, sort=False) if not rows[name].isna().any()]
    columns = [[there(rows[column]) for column in (name, f"{name}_low", f"{name}_high")] for rows in groups]
    freedom = sum(len(values) - 1 for values, _, _ in columns)
    squares = sum(float(np.square(values - values.mean()).sum()) for values, _, _ in columns)
    scatter = stats.t.ppf(0.975, freedom) * math.sqrt(squares / freedom) if freedom else 0.0
    found = []
    for values, lows, highs in columns:
        mean, own = values.mean(), scatter / math.sqrt(len(values))
        ends = mean - math.hypot(mean - lows.mean(), own), mean + math.hypot(highs.mean() - mean, own)
        found.append(Measured(back(mean), *map(back, ends)))
    return found


def _smallest(some: Iterable[Measured]) -> Measured:
    """The smallest of several numbers; its interval is that of the minimum."""
    return _extreme(list(some), np.min)


def _largest(some: Iterable[Measured]) -> Measured:
    return _extreme(list(some), np.max)


def _extreme(some: list[Measured], of: Callable) -> Measured:
    if not some:
        raise MissingError("nothing was measured")
    return Measured(*(float(of(column)) for column in zip(*some, strict=True)))


def _quotient(top: Measured, bottom: Measured) -> Measured:
    """Ratio of two positive numbers measured independently of each other, its interval by their logarithms' errors."""
    error = math.hypot(*(math.log(one.high / one.low) / 2 for one in (top, bottom)))
    value = top.value / bottom.value
    return Measured(value, value * math.exp(-error), value * math.exp(error))


def _mean_of_logs(ratios: pd.Series) -> Measured:
    """Geometric mean of what was measured at each place of a net, with its t interval over places.

    Args:
        ratios: indexed by place; those of several seeds at one place count once, as their geometric mean.
    """
    logs = np.log(ratios.astype(float)).groupby(level=0).mean().to_numpy()
    if len(logs) < 2:
        raise MissingError("the run has one layer alone")
    half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs))
    return Measured(*(float(np.exp(logs.mean() + sign * half)) for sign in (0, -1, 1)))


def _change_over(values: pd.Series) -> Measured:
    """By what factor a positive quantity changes over the depth of a net: a straight line through its logarithm.

    Args:
        values: indexed by depth; those of several seeds at one depth count once, as their geometric mean.
    """
    logs = np.log(values.astype(float)).groupby(level=0).mean()
    if len(logs) < 3:
        raise MissingError("the run has no 3 layers")
    depth = logs.index.to_numpy(float)
    fit = stats.linregress((depth - depth.min()) / (depth.max() - depth.min()), logs.to_numpy())
    half = stats.t.ppf(0.975, len(depth) - 2) * fit.stderr
    return Measured(*(math.exp(fit.slope + sign * half) for sign in (0, -1, 1)))


def _of_each(measure: Callable[[pd.DataFrame], Measured], tables: Iterable[pd.DataFrame]) -> list[Measured]:
    """Measure every net that has what it takes.

    Raises:
        MissingError: none has.
    """
    found, missing = [], MissingError("nothing was measured")
    for table in tables:
        try:
            found.append(measure(table))
        except MissingError as error:
            missing = error
    if not found:
        raise missing
    return found


def _by_net(table: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows for _, rows in table.groupby("net", sort=False)]


def _init(tables: Tables) -> list[Measured]:
    return _over_seeds(_some(tables["stability"], "nets at init", state="init"), "R", ["net"])


def _trained(tables: Tables, kinds: tuple[str, ...], what: str) -> list[Measured]:
    return _over_seeds(_of_kind(_some(tables["stability"], what, state="trained"), kinds, what), "R", ["net"])


def _lowered(tables: Tables) -> Measured:
    table = _of_kind(tables["stability"], CONVOLUTIONAL, "convolutional nets")
    states = (_over_seeds(_some(table, f"nets {state}", state=state), "R", ["net"]) for state in ("trained", "init"))
    return _largest(_quotient(trained, init) for trained, init in zip(*states, strict=True))


def _correlation(tables: Tables, quantity: str, name: str) -> Measured:
    return _interval(
        _some(tables["stability_vs_error"], f"correlation with {quantity}", quantity=quantity).iloc[0], name
    )


def _noise(tables: Tables, state: str) -> pd.DataFrame:
    """Summaries of G of the logits of deep nets; a curve whose largest value is at an end of its range has no height."""
    what = {"state": state, "perturbation": "noise", "output": "logits"}
    curves = _some(tables["noise_curves"], f"noise curves {state}", **what)
    summary = _of_kind(
        _some(tables["noise_curves_summary"], f"noise curves {state}", **what), DEEP, "noise curve of a deep net"
    )
    first, last = curves.r.min(), curves.r.max()
    at_an_end = ~summary.bump_r.between(first, last, inclusive="neither")
    columns = ["bump_height", "bump_height_low", "bump_height_high"]
    summary = summary.copy()
    summary.loc[at_an_end, columns] = 1.0
    return summary


def _changed_at_bump(tables: Tables) -> list[Measured]:
    summary = _noise(tables, "trained")
    summary = _some(summary, "deep net with a bump", bump=True)
    curves = _some(tables["noise_curves"], "noise curves", state="trained", perturbation="noise", output="logits")
    found = []
    for row in summary.itertuples():
        curve = curves[(curves.net == row.net) & (curves.seed == row.seed)]
        places = np.log([row.bump_r, row.bump_r_low, row.bump_r_high])
        found.append(Measured(*map(float, np.interp(places, np.log(curve.r), curve.changed))))
    return found


def _unlike_noise(tables: Tables) -> Measured:
    """By what factor the curves towards another image and with noise differ at most, in the net where that is smallest.

    Up to half of the way, and whichever is above the other: the deck names no direction.
    """
    table = _some(tables["interpolation_curves"], "interpolation curves", state="trained", output="logits")
    table = table[table.r <= table.datapoint_distance / 2]
    curves = [
        _some(table, f"curve of {kind} up to half of the way", perturbation=kind) for kind in ("datapoint", "noise")
    ]
    distances = (_over_seeds(curve, "distance", ["net", "r"]) for curve in curves)
    largest: dict[str, Measured] = {}
    for net, datapoint, noise in zip(curves[0].drop_duplicates(["net", "r"]).net, *distances, strict=True):
        factor = max(_quotient(datapoint, noise), _quotient(noise, datapoint), key=lambda ratio: ratio.value)
        largest[net] = max(largest.get(net, factor), factor, key=lambda ratio: ratio.value)
    return _smallest(largest.values())


def _smooth_over_rough(tables: Tables) -> Measured:
    table = tables["laplacian_spectra"]
    final = table[table.epoch == table.groupby(["net", "seed"]).epoch.transform("max")]

    def gain(rows: pd.DataFrame) -> Measured:
        layers = rows.sort_values("eigenvalue").groupby(["layer_index", "seed"]).ratio
        return _mean_of_logs((layers.first() / layers.last()).droplevel("seed"))

    return _smallest(_of_each(gain, _by_net(final)))


def _wavenumbers(tables: Tables, kinds: tuple[str, ...], what: str) -> list[Measured]:
    table = _of_kind(tables["activation_spectra_summary"], kinds, what)
    convolutions = _some(table, f"convolutions of {what}", state="trained", kind=["conv", "locallyconnected2d"])
    return _of_each(_one_or_mean, _by_net(convolutions))


def _one_or_mean(rows: pd.DataFrame) -> Measured:
    """Mean over the convolutions of a net; that of a single one has the interval of its own."""
    if rows.operation_index.nunique() == 1:
        return _over_seeds(rows, "ratio_to_init", ["net"])[0]
    return _mean_of_logs(rows.set_index("operation_index").ratio_to_init)


def _deep_over_simple(tables: Tables) -> Measured:
    deep = _largest(_wavenumbers(tables, DEEP, "deep nets"))
    return _quotient(deep, _smallest(_wavenumbers(tables, SIMPLE, "simple nets")))


def _gabor(tables: Tables, null: str) -> Measured:
    table = tables["first_layer_filters"]
    table = table[table.train_size == table.train_size.max()]
    trained, other = (_some(table, f"filters: {state}", state=state).gabor_r2.to_numpy() for state in ("trained", null))
    generator = np.random.default_rng(derive_seed("filters", null))
    samples = [
        values[generator.integers(len(values), size=(RESAMPLES, len(values)))].mean(1) for values in (trained, other)
    ]
    low, high = np.quantile(samples[0] - samples[1], (0.025, 0.975))
    return Measured(float(trained.mean() - other.mean()), float(low), float(high))


def _vggs(tables: Tables, state: str) -> list[pd.DataFrame]:
    return _by_net(_of_kind(_some(tables["operation_stability"], f"nets {state}", state=state), ("vgg",), "VGGs"))


def _fall_with_depth(rows: pd.DataFrame) -> Measured:
    convolutions = _some(rows, "convolutions", kind="conv")
    return _change_over(convolutions.set_index("operation_index").R)


def _falls_more(tables: Tables) -> Measured:
    pairs = zip(_vggs(tables, "trained"), _vggs(tables, "init"), strict=True)
    place = ["seed", "operation_index", "kind"]
    both = (trained.merge(init[[*place, "R"]], on=place, suffixes=("", "_init")) for trained, init in pairs)
    return _largest(_of_each(_fall_with_depth, (rows.assign(R=rows.R / rows.R_init) for rows in both)))


def _changes_by(tables: Tables, kind: str) -> list[Measured]:
    """Mean change of R by the operations of a kind, of every trained VGG."""

    def change(rows: pd.DataFrame) -> Measured:
        rows = rows.sort_values("operation_index").set_index("operation_index")
        ratio = (rows.R / rows.groupby("seed").R.shift(1))[rows.kind == kind].dropna()
        if ratio.empty:
            raise MissingError(f"the run has no VGG with the operation {kind}")
        return _mean_of_logs(ratio)

    return _of_each(change, _vggs(tables, "trained"))


def _surviving(tables: Tables) -> list[Measured]:
    table = _some(tables["channel_shuffling_summary"], "shuffled nets", batch_norm=["re-estimated", "none"])
    last = table[table.operation_index == table.groupby(["net", "seed"]).operation_index.transform("max")]
    shares = _over_seeds(last, "share", ["net"], signed=True)
    if not shares:
        raise MissingError("the run has no gain to share")
    return shares


def _read_out_over_whole(tables: Tables) -> Measured:
    table = _some(tables["hidden_layer_pooling"], "trained nets of one hidden layer", state="trained")
    parts = (
        _over_seeds(_some(table, f"nets trained: {part}", trained_part=part), "R", ["net", "width"])
        for part in ("read_out", "all")
    )
    return _smallest(_quotient(read_out, whole) for read_out, whole in zip(*parts, strict=True))


def _parts_of_fields(tables: Tables) -> list[Measured]:
    table = tables["field_decomposition"]
    local = _some(table[table.norm_formula.notna()], "patches of one pixel", patch_size=1)
    columns = local[["norm_measured", "norm_low", "norm_high"]].div(local.norm_formula, axis=0)
    return [Measured(*row) for row in columns.itertuples(index=False, name=None)]


def _neurons(tables: Tables) -> list[pd.DataFrame]:
    """Trained, over all patches: one table a net and transformation."""
    table = _some(tables["neuron_stability_summary"], "neurons trained", state="trained", patch_choice="random")
    table = table.dropna(subset=["ratio_to_translation"])
    return [rows for _, rows in table.groupby(["net", "transformation"], sort=False)]


def _gap_with_depth(tables: Tables) -> Measured:
    return _smallest(
        _of_each(lambda rows: _change_over(rows.set_index("layer_index").ratio_to_translation), _neurons(tables))
    )


def _rotated_copies(tables: Tables) -> Measured:
    rotated = ["quarter_turns", "interpolated"]
    table = _some(tables["rotation_coupling_summary"], "rotated filters", state="trained", rotations=rotated)
    for name in ("correlation", "correlation_low", "correlation_high"):
        table = table.assign(**{name: table[name] - table.null_high})
    return _smallest(_over_seeds(table, "correlation", ["net", "rotations"], signed=True))


# Where no side is the worse one, several numbers; the one that does worst against the criterion decides
MEASURES: dict[str, Callable[[Tables], Measured | list[Measured]]] = {
    "1a": lambda tables: _smallest(_init(tables)),
    "1b": lambda tables: _largest(_init(tables)),
    "2a": _lowered,
    "2b": lambda tables: _largest(_trained(tables, CONVOLUTIONAL, "convolutional nets")),
    "2c": lambda tables: _smallest(_trained(tables, ("fully_connected",), "fully connected nets")),
    "3a": lambda tables: _correlation(tables, "R", "correlation"),
    "3b": lambda tables: _correlation(tables, "D", "behind_R"),
    "3c": lambda tables: _correlation(tables, "G", "behind_R"),
    "4": lambda tables: _over_seeds(
        tables["noise_curves_summary"], "exponent", ["net", "state", "perturbation", "output"], signed=True
    ),
    "5a": lambda tables: _smallest(_over_seeds(_noise(tables, "trained"), "bump_height", ["net"])),
    "5b": lambda tables: _largest(_over_seeds(_noise(tables, "init"), "bump_height", ["net"])),
    "5c": _changed_at_bump,
    "6": _unlike_noise,
    "7": _smooth_over_rough,
    "8a": lambda tables: _largest(_wavenumbers(tables, DEEP, "deep nets")),
    "8b": _deep_over_simple,
    "9a": lambda tables: _gabor(tables, "init"),
    "9b": lambda tables: _gabor(tables, "mixture"),
    "10a": lambda tables: _largest(_of_each(_fall_with_depth, _vggs(tables, "trained"))),
    "10b": _falls_more,
    "10c": lambda tables: _largest(_changes_by(tables, "pool")),
    "10d": lambda tables: _largest(_changes_by(tables, "conv")),
    "10e": lambda tables: _smallest(_changes_by(tables, "relu")),
    "11a": lambda tables: _largest(_surviving(tables)),
    "11b": lambda tables: _smallest(_surviving(tables)),
    "12": _read_out_over_whole,
    "13": _parts_of_fields,
    "14a": lambda tables: _smallest(
        _of_each(lambda rows: _mean_of_logs(rows.set_index("layer_index").ratio_to_translation), _neurons(tables))
    ),
    "14b": _gap_with_depth,
    "15": _rotated_copies,
}
