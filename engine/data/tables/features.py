"""Columns of a table as numbers and codes for a network, by statistics of the training rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.on_disk import filled, in_windows
from engine.data.tables.categories import respelled
from engine.data.tables.lists import list_parts
from engine.data.tables.schema import CategoricalFeature, Column, Features, NumericFeature
from engine.data.tables.scores import fit_scores, folds_of, scored_parts
from engine.data.tables.values import dates, numbers, texts
from engine.errors import DataError
from engine.files.sanitize import plain

Transform = Literal["auto", "standard", "quantile"]
Floats = NDArray[np.float64]
Numbers = NDArray[np.float32]
Codes = NDArray[np.int64]

_HEAVY_TAIL = 8.0
"""Standard deviations from the mean at which a column's farthest value asks for quantiles."""
_KNOTS = 129
_FARTHEST = 10.0
"""Standardised values beyond this are cut off: they come from rows unlike any in training."""
_MAX_CATEGORIES = 1000
SCORED = ("text", "id")
"""Types of columns that become scores of the target."""
ENCODED = 1 << 16
"""Rows that are encoded at a time."""
_RARE = 2
"""Categories with fewer rows share the code of those that were never seen."""


def encode_rows(features: Features, table: pa.Table, apart: bool = False) -> tuple[Numbers, Codes]:
    """Numbers ``[rows, numeric]`` and codes ``[rows, categorical]`` of a table.

    ``apart`` memory-maps them. Raises :class:`DataError` for a missing column.
    """
    present = set(table.column_names)
    for column in features.columns:
        if column.name not in present:
            raise DataError(f"The data has no column {plain(column.name, 60)!r}.")
    values = (_numbers_of(features, piece) for piece in in_windows(table, ENCODED))
    codes = (_codes_of(features, piece) for piece in in_windows(table, ENCODED))
    rows = table.num_rows
    return (
        filled((rows, len(features.numeric)), np.float32, values, apart),
        filled((rows, len(features.categorical)), np.int64, codes, apart),
    )


def encoded_bytes(features: Features, rows: int) -> int:
    """Return the size in bytes of what :func:`encode_rows` returns for ``rows`` rows."""
    return rows * (4 * len(features.numeric) + 8 * len(features.categorical))


def _numbers_of(features: Features, table: pa.Table) -> Numbers:
    values = np.empty((table.num_rows, len(features.numeric)), np.float32)
    known: tuple[str, Mapping[str, Floats]] = ("", {})
    columns = {column.name: column for column in features.columns}
    scored = {scored.column: scored for scored in features.scored}
    folds = np.empty(0, np.int64)
    for i, number in enumerate(features.numeric):
        if known[0] != number.column:  # parts of a column stand side by side
            own = scored.get(number.column)
            if own is None:
                known = number.column, _parts(columns[number.column], table)
            else:
                folds = folds if len(folds) else _folds_of(features, table, values[:, :i])
                known = number.column, scored_parts(own, table[own.column], folds)
        values[:, i] = encode_number(number, known[1][number.part])
    return values


def _folds_of(features: Features, table: pa.Table, numbers: Numbers) -> NDArray[np.int64]:
    """Return the folds of rows by all inputs but the scores."""
    names = [column.name for column in features.columns if column.type in SCORED]
    return folds_of(numbers, _codes_of(features, table), table.select(names))


def with_scores(features: Features, table: pa.Table, targets: Mapping[str, Floats]) -> Features:
    """Learn the scores of texts and ids from training rows; ``targets`` have mean 0."""
    columns = [column for column in features.columns if column.type in SCORED]
    if not columns:
        return features
    folds = _folds_of(features, table, encode_rows(features, table)[0])
    scored, numeric = [], list(features.numeric)
    for column in columns:
        values = table[column.name]
        scored.append(fit_scores(column, values, folds, targets))
        parts = scored_parts(scored[-1], values, folds)
        found = (_fit_number(column.name, name, part, "standard") for name, part in parts.items())
        numeric += filter(None, found)
    return features.model_copy(update={"scored": scored, "numeric": numeric})


def _codes_of(features: Features, table: pa.Table) -> Codes:
    codes = np.empty((table.num_rows, len(features.categorical)), np.int64)
    for i, category in enumerate(features.categorical):
        codes[:, i] = encode_category(category, table[category.column])
    return codes


def encode_number(feature: NumericFeature, values: Floats) -> Floats:
    """Standardised values; what is missing takes the mean."""
    if feature.knots:
        values = np.interp(values, feature.knots, feature.heights)
    scaled = (values - feature.mean) / feature.std
    return np.clip(np.nan_to_num(scaled, nan=0.0), -_FARTHEST, _FARTHEST)


def encode_category(feature: CategoricalFeature, column: pa.ChunkedArray) -> Codes:
    """The code of each value."""
    known = pa.array(feature.categories, pa.string())
    values = respelled(texts(column, feature.as_written), feature.categories)
    codes = pc.index_in(values, value_set=known).fill_null(-1)
    return np.asarray(codes, dtype=np.int64) + 1


def decode_row(features: Features, scaled: Sequence[float], codes: Sequence[int]) -> dict[str, str]:
    """Return a row's values by column for the user, as precisely as they can be decoded."""
    values = {
        (feature.column, feature.part): _decoded(feature, number)
        for feature, number in zip(features.numeric, scaled, strict=True)
    }
    coded = dict(zip((f.column for f in features.categorical), codes, strict=True))
    known = {feature.column: feature.categories for feature in features.categorical}
    shown = {}
    for name in (column.name for column in features.columns):
        if name in coded:
            shown[name] = str(known[name][coded[name] - 1] or "missing") if coded[name] else "other"
        elif values.get((name, "missing"), 0.0) > 0.5:
            shown[name] = "missing"
        elif (name, "day") in values:
            shown[name] = str(np.datetime64(round(values[name, "day"]), "D"))
        elif (name, "value") in values:
            shown[name] = f"{values[name, 'value']:.6g}"
    return shown


def _decoded(feature: NumericFeature, number: float) -> float:
    """Return the value without the digits that a float32 does not hold: 0 is no 5e-11."""
    steps = np.nextafter(np.float32(number), np.array([-np.inf, np.inf], np.float32))
    raw = np.array([number, *steps], np.float64) * feature.std + feature.mean
    value, *beside = np.interp(raw, feature.heights, feature.knots) if feature.knots else raw
    spacing = float(np.abs(np.array(beside) - value).max())
    exact = not np.isfinite(spacing) or spacing == 0
    return float(value) if exact else round(float(value), math.floor(-math.log10(spacing))) + 0.0


def fit_features(table: pa.Table, columns: Sequence[Column], transform: Transform) -> Features:
    """Learn from training rows how the usable ones of ``columns`` are encoded.

    The scores of texts and ids need the target: :func:`with_scores` adds them.
    """
    usable = [column for column in columns if column.usable]
    numeric: list[NumericFeature] = []
    categorical: list[CategoricalFeature] = []
    for column in usable:
        if column.type in SCORED:
            continue
        if column.type == "categorical":
            categorical.append(_fit_categories(column, table[column.name]))
            continue
        for part, values in _parts(column, table).items():
            feature = _fit_number(column.name, part, values, transform)
            numeric += [] if feature is None else [feature]
    used = {feature.column for feature in numeric} | {feature.column for feature in categorical}
    used |= {column.name for column in usable if column.type in SCORED}
    return Features(
        columns=[c for c in usable if c.name in used], numeric=numeric, categorical=categorical
    )


def _parts(column: Column, table: pa.Table) -> Mapping[str, Floats]:
    """The numbers that a column gives, by the name of the part."""
    if column.type == "list":
        return list_parts(table[column.name], column.separator, column.items)
    if column.type == "numeric":
        values = numbers(table[column.name], column.number_format)
        return {"value": values, "missing": np.isnan(values).astype(np.float64)}
    moments = dates(table[column.name], column.date_format, column.zone)
    missing = np.isnat(moments)
    parts = date_parts(np.where(missing, np.datetime64(0, "s"), moments))
    shown = {part: np.where(missing, np.nan, values) for part, values in parts.items()}
    return shown | {"missing": missing.astype(np.float64)}


def date_parts(moments: NDArray[np.datetime64]) -> dict[str, Floats]:
    """Trend, season, day of the week and time of day; what is cyclic as points on a circle."""
    day = moments.astype("datetime64[D]")
    year = moments.astype("datetime64[Y]")
    season = (day - year.astype("datetime64[D]")).astype(np.float64) / 365.25
    # 1970 began on a Thursday; a week begins on Monday.
    weekday = (day.astype(np.int64) + 3) % 7 / 7
    clock = (moments - day).astype("timedelta64[s]").astype(np.float64) / 86400
    parts = {"day": day.astype(np.float64)}
    for name, turn in (("season", season), ("weekday", weekday), ("clock", clock)):
        parts[f"{name} sine"] = np.sin(2 * np.pi * turn)
        parts[f"{name} cosine"] = np.cos(2 * np.pi * turn)
    return parts


def _fit_number(
    column: str, part: str, values: Floats, transform: Transform
) -> NumericFeature | None:
    present = values[np.isfinite(values)]
    if len(present) == 0 or present.min() == present.max():
        return None
    # By the largest value first: squares of huge ones overflow.
    scale = float(np.abs(present).max())
    mean, std = float((present / scale).mean() * scale), float((present / scale).std() * scale)
    heavy = transform == "auto" and float(np.abs(present - mean).max()) > _HEAVY_TAIL * std
    if std == 0.0 or not np.isfinite(std):
        return None
    if part != "value" or not (heavy or transform == "quantile"):
        return NumericFeature(column=column, part=part, mean=mean, std=std)
    knots, heights = _normalising(present)
    mapped = np.interp(present, knots, heights)
    return NumericFeature(
        column=column, part=part, knots=knots.tolist(), heights=heights.tolist(),
        mean=float(mapped.mean()), std=float(mapped.std()),
    )  # fmt: skip


def _normalising(values: Floats) -> tuple[Floats, Floats]:
    """Knots of the piecewise linear map that gives ``values`` a normal distribution.

    Equal values share the middle of their ranks.
    """
    distinct, counts = np.unique(values, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / len(values)
    wanted = np.linspace(ranks[0], ranks[-1], _KNOTS)
    kept = np.unique(np.append(np.searchsorted(ranks, wanted[:-1]), len(ranks) - 1))
    normal = NormalDist()
    return distinct[kept], np.array([normal.inv_cdf(rank) for rank in ranks[kept]])


def _fit_categories(column: Column, values: pa.ChunkedArray) -> CategoricalFeature:
    counted = pc.value_counts(texts(values, column.as_written))
    counts: Counter[str | None] = Counter(
        dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True))
    )
    frequent = [value for value, count in counts.most_common(_MAX_CATEGORIES) if count >= _RARE]
    known = sorted(frequent, key=lambda value: (value is None, value or ""))
    return CategoricalFeature(
        column=column.name,
        categories=list(known),
        usual=known.index(frequent[0]) + 1 if frequent else 0,
        as_written=column.as_written,
    )
