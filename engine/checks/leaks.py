"""Columns that give the target away: each alone predicts it nearly without error."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from engine.checks.examined import Doubt, Examined, Limit, some_rows
from engine.checks.values import Floats, categories_of, floats_of, target_numbers
from engine.data.tables.schema import Column
from engine.files.sanitize import plain

_ROWS = 10_000
_FEWEST = 50
_TOLD = 0.99
_LEAVES = 64
"""Leaves of a tree at most, for each class."""
_MOST_LEAVES = 1024
_MOST_COLUMNS = 2000


def leaks(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield columns of which one alone predicts the target to 0.99."""
    roles = data.roles
    used = data.columns
    if not roles.target or len(used) < 2 or data.train.num_rows < _FEWEST:
        return
    table, _ = some_rows(data.train, _ROWS)
    halves = np.random.default_rng(0).permutation(table.num_rows)
    truth = _target(table, data)
    if len(used) > _MOST_COLUMNS:
        yield Limit(f"only the first {_MOST_COLUMNS:,} columns were checked for leaking the target")
    for column in used[:_MOST_COLUMNS]:
        score = _score(_values(table, column), truth, halves, roles.target_kind == "classes")
        if score >= _TOLD:
            measure = "accuracy" if roles.target_kind == "classes" else "R²"
            target = plain(roles.target, 40)
            why = f"alone predicts {target} with {measure} {score:.3f}: is it known beforehand?"
            yield Doubt("leaks the target", why, column.name, remedies=("drop column",))


def _target(table: pa.Table, data: Examined) -> NDArray[np.float64] | NDArray[np.int64]:
    if data.roles.target_kind == "classes":
        return categories_of(table, data.roles.target)[1]
    return target_numbers(table, data.roles.target)


def _values(table: pa.Table, column: Column) -> Floats:
    if column.type != "categorical":
        return floats_of(table, column)
    return categories_of(table, column.name, column.as_written)[1].astype(np.float64)


def _score(
    values: Floats, target: NDArray[np.generic], order: NDArray[np.int64], classes: bool
) -> float:
    """Return the accuracy or R² on the second half of the rows of a tree on the first half.

    The accuracy is the mean over classes, where it is lower: in rows of nearly one class, any
    column is right nearly always.
    """
    usable = order[np.isfinite(values[order])]
    if len(usable) < max(_FEWEST, 0.9 * len(order)):
        return 0.0
    fit, held_out = np.array_split(usable, 2)
    # float32, as trees compute in it: moments in seconds would all be the same.
    inputs = ((values - values[usable].mean()) / (values[usable].std() or 1.0))[:, None]
    if not classes:
        truth = np.asarray(target, np.float64)
        tree = DecisionTreeRegressor(max_leaf_nodes=_MOST_LEAVES // 4, random_state=0)
        errors = truth[held_out] - tree.fit(inputs[fit], truth[fit]).predict(inputs[held_out])
        spread = float(truth[held_out].var())
        return 1.0 - float((errors**2).mean()) / spread if spread else 0.0
    names, codes = np.unique(target, return_inverse=True)
    leaves = min(_MOST_LEAVES, _LEAVES * len(names))
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0)
    right = tree.fit(inputs[fit], codes[fit]).predict(inputs[held_out]) == codes[held_out]
    each = np.bincount(codes[held_out], right) / np.maximum(1, np.bincount(codes[held_out]))
    present = np.unique(codes[held_out])
    return float(min(right.mean(), each[present].mean())) if len(present) > 1 else 0.0
