"""Gradient boosting of scikit-learn on the network's own inputs: the baseline of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from engine.baselines.fitted_trees import UNKNOWN, fitted_trees
from engine.batches.source import Batch, Source
from engine.data.tables.schema import Features
from engine.models.tables.boosted_trees import BoostedTrees
from engine.processes.later import Later

ensemble = Later("sklearn.ensemble")

NAME = "gradient boosting"

MAX_ROWS = 50_000
"""Number of training rows used at most."""
_AT_ONCE = 1 << 16
_MAX_TREES = 1500
"""All classes together; a tree for each class in every round."""
_MAX_ROUNDS = 100
_MAX_CODES = 255
"""More categories in one column than this are taken as numbers, which scikit-learn asks for."""
_HOLD_OUT_ROWS = 10_000
"""Number of rows from which early stopping on held-out rows is used."""
_FEW_ROWS = 5000

_CHECKED = 1000
"""Rows on which the kept trees are compared with scikit-learn."""
_EXACT = 1e-9

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Boosted:
    """Predictions of the rows that were held out, and the trees that made them."""

    predicted: NDArray[Any]
    """Probabilities ``[rows, classes]``, or standardised numbers ``[rows]``."""
    truth: NDArray[Any]
    trees: BoostedTrees | None
    """``None`` where a version of scikit-learn does not show them."""


def boosted_classes(train: Source, held_out: Source, features: Features, classes: int) -> Boosted:
    """Fit on training rows, and predict those that were held out."""
    inputs, targets = _arrays(train, MAX_ROWS)
    fewest = int(np.unique(targets, return_counts=True)[1].min())
    model = ensemble.HistGradientBoostingClassifier(
        max_iter=max(10, min(_MAX_ROUNDS, _MAX_TREES // classes)),
        categorical_features=_categories(features),
        early_stopping=len(targets) > _HOLD_OUT_ROWS and fewest > 1,
        random_state=0,
    )
    with _threads(len(targets)):
        model.fit(inputs, targets)
    parts = []
    for unseen, truth in _pieces(held_out):
        part = np.zeros((len(truth), classes), np.float32)
        part[:, model.classes_] = model.predict_proba(unseen)
        parts.append((part, truth))
    some = inputs[:_CHECKED]
    trees = _trees(model, classes, some, model.predict_proba(some), _probabilities)
    return Boosted(*_joined(parts), trees)


def classes_of_trees(trees: BoostedTrees, source: Source) -> Boosted:
    """Predict the rows of a source like the classifier that the trees are from."""
    parts = [
        (_probabilities(trees.sums(rows)).astype(np.float32), true)
        for rows, true in _pieces(source)
    ]
    return Boosted(*_joined(parts), trees)


def _probabilities(logits: Floats) -> Floats:
    return np.asarray(torch.from_numpy(logits).softmax(1))


def log_loss(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Mean cross-entropy of ``[rows, classes]`` probabilities."""
    own = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(own, np.finfo(np.float32).tiny)).mean())


def boosted_numbers(train: Source, held_out: Source, features: Features) -> Boosted:
    """Fit on training rows, and predict the standardised numbers of those that were held out."""
    inputs, targets = _arrays(train, MAX_ROWS)
    model = ensemble.HistGradientBoostingRegressor(
        max_iter=_MAX_ROUNDS, categorical_features=_categories(features), random_state=0
    )
    with _threads(len(targets)):
        model.fit(inputs, targets)
    parts = [(np.asarray(model.predict(unseen)), true) for unseen, true in _pieces(held_out)]
    some = inputs[:_CHECKED]
    trees = _trees(model, None, some, model.predict(some)[:, None], lambda sums: sums)
    return Boosted(*_joined(parts), trees)


def numbers_of_trees(trees: BoostedTrees, source: Source) -> Boosted:
    """Predict the rows of a source like the regressor that the trees are from."""
    parts = [(trees.sums(rows)[:, 0], true) for rows, true in _pieces(source)]
    return Boosted(*_joined(parts), trees)


def _trees(
    model: Any, classes: int | None, rows: Floats, expected: Floats, of: Callable[[Floats], Floats]
) -> BoostedTrees | None:
    """Return the trees of a fitted model, once their predictions are its own."""
    try:
        trees = fitted_trees(model, classes)
    except UNKNOWN:
        return None
    found = of(trees.sums(rows))
    seen = found if classes is None else found[:, model.classes_]
    same = np.allclose(seen, expected, rtol=_EXACT, atol=_EXACT)
    return trees if same else None


def _threads(rows: int) -> threadpool_limits:
    """Use torch's number of threads; a single one for few rows, which is faster."""
    return threadpool_limits(torch.get_num_threads() if rows > _FEW_ROWS else 1, "openmp")


def _categories(features: Features) -> list[int]:
    return [
        len(features.numeric) + i
        for i, feature in enumerate(features.categorical)
        if feature.cardinality <= _MAX_CODES
    ]


def _arrays(source: Source, limit: int) -> tuple[Floats, NDArray[Any]]:
    """Inputs and targets of at most ``limit`` rows."""
    step = max(1, -(-len(source) // limit))
    return inputs_and_targets(source, np.arange(0, len(source), step))


def inputs_and_targets(source: Source, places: NDArray[np.int64]) -> tuple[Floats, NDArray[Any]]:
    """Inputs ``[rows, numbers and then codes]`` and targets of the rows at ``places``."""
    [batch] = source.read([torch.from_numpy(places)])
    return _of_batch(batch)


def _pieces(source: Source) -> Iterator[tuple[Floats, NDArray[Any]]]:
    """All rows of a source, a part at a time."""
    yield from map(_of_batch, source.read(source.plan(_AT_ONCE)))


def _of_batch(batch: Batch) -> tuple[Floats, NDArray[Any]]:
    parts = [batch.inputs[name].numpy() for name in ("numeric", "categorical")]
    return np.concatenate(parts, axis=1), batch.targets.numpy()


def _joined(parts: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[Any, Any]:
    said, true = zip(*parts, strict=True)
    return np.concatenate(said), np.concatenate(true)
