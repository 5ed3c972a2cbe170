"""Columns whose values are distributed otherwise in the test rows than in the training rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.checks.examined import Doubt, Examined, Limit, Remedy, some_rows
from engine.checks.values import Floats, floats_of, joint_codes, target_numbers
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.tables.schema import Column

_ROWS = 100_000
"""Rows of each split that are compared at most."""
_LEAST = 0.1
"""Smaller distances are not reported, however certain they are."""
_CERTAIN = 2.2
"""Kolmogorov-Smirnov distance, times the root of the rows: chance gives it once in 10,000 times."""
_CHANCE = 3.0
"""Total variation is reported from this multiple of that by chance."""
_FEW_ROWS = 20


def drift(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield the columns that differ most between the training rows and the test rows."""
    split = next((name for name in (TEST, VALIDATION) if name in data.splits), "")
    if not split or min(data.splits[split].num_rows, data.train.num_rows) < _FEW_ROWS:
        return
    train, other = (some_rows(data.splits[name], _ROWS)[0] for name in (TRAIN, split))
    doubts = [doubt for doubt in _distances(data, train, other) if doubt is not None]
    for distance, column, measure in sorted(doubts, reverse=True):
        why = f"distributed otherwise in {split} than in training: {measure} {distance:.2f}"
        remedies: tuple[Remedy, ...] = ("drop column",) if _can_go(data, column) else ()
        yield Doubt("drift", why, column, remedies=remedies)


Distance = tuple[float, str, str]


def _can_go(data: Examined, column: str) -> bool:
    roles = data.roles
    return bool(roles.columns) and not roles.ordered and column in roles.inputs


def _distances(data: Examined, train: pa.Table, other: pa.Table) -> Iterator[Distance | None]:
    present = set(other.column_names)
    for column in data.columns:
        if column.name in present:
            yield _of_column(train, other, column)
    for name in data.roles.texts:
        one, two = _lengths(train[name]), _lengths(other[name])
        yield _of_numbers(one, two, f"length of {name}")
    target = data.roles.target
    if target and target in present:
        if data.roles.target_kind == "classes":
            yield _of_codes(*joint_codes(train, other, target)[1:], target)
        else:
            yield _of_numbers(target_numbers(train, target), target_numbers(other, target), target)


def _of_column(train: pa.Table, other: pa.Table, column: Column) -> Distance | None:
    if column.type == "categorical":
        _, first, second = joint_codes(train, other, column.name, column.as_written)
        return _of_codes(first, second, column.name)
    return _of_numbers(floats_of(train, column), floats_of(other, column), column.name)


def _of_numbers(train: Floats, other: Floats, name: str) -> Distance | None:
    missing = abs(float(np.isnan(train).mean()) - float(np.isnan(other).mean()))
    one, two = (np.sort(values[~np.isnan(values)]) for values in (train, other))
    if min(len(one), len(two)) < _FEW_ROWS:
        return (missing, name, "share of missing values differs by") if missing > _LEAST else None
    points = np.concatenate([one, two])
    shares = [np.searchsorted(values, points, side="right") / len(values) for values in (one, two)]
    distance = float(np.abs(shares[0] - shares[1]).max())
    evidence = distance * (len(one) * len(two) / (len(one) + len(two))) ** 0.5
    if distance >= _LEAST and evidence >= _CERTAIN:
        return distance, name, "Kolmogorov-Smirnov distance"
    return (missing, name, "share of missing values differs by") if missing > 2 * _LEAST else None


def _of_codes(train: NDArray[np.int64], other: NDArray[np.int64], name: str) -> Distance | None:
    width = int(max(train.max(initial=-1), other.max(initial=-1))) + 2
    one, two = (np.bincount(codes + 1, minlength=width) / len(codes) for codes in (train, other))
    distance = float(np.abs(one - two).sum() / 2)
    both = (one * len(train) + two * len(other)) / (len(train) + len(other))
    deviation = np.sqrt(both * (1 - both) * (1 / len(train) + 1 / len(other)))
    by_chance = float(deviation.sum() * np.sqrt(2 / np.pi) / 2)
    if distance < max(_LEAST, _CHANCE * by_chance):
        return None
    return distance, name, "total variation distance"


def _lengths(column: pa.ChunkedArray) -> Floats:
    lengths = pc.utf8_length(column.cast(pa.string())).fill_null(0)
    return np.asarray(lengths.to_numpy(), np.float64)
