"""Gradient boosting of scikit-learn on the network's own inputs: something to be held against."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from engine.data.table import Features
from engine.training.batch import Source

NAME = "gradient boosting"

_MAX_ROWS = 50_000
_MAX_TREES = 1500
"""All classes together; a tree for each class in every round."""
_MAX_ROUNDS = 100
_MAX_CODES = 255
"""More categories in one column than this are taken as numbers, which scikit-learn asks for."""
_HOLD_OUT_ROWS = 10_000
"""From so many rows on, rounds end when rows that are held out show no gain."""
_FEW_ROWS = 5000

Floats = NDArray[np.float64]


def boosted_classes(
    train: Source, held_out: Source, features: Features, classes: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Probabilities ``[rows, classes]`` and classes of the rows that were held out."""
    inputs, targets = _arrays(train, _MAX_ROWS)
    fewest = int(np.unique(targets, return_counts=True)[1].min())
    model = HistGradientBoostingClassifier(
        max_iter=max(10, min(_MAX_ROUNDS, _MAX_TREES // classes)),
        categorical_features=_categories(features),
        early_stopping=len(targets) > _HOLD_OUT_ROWS and fewest > 1,
        random_state=0,
    )
    with _threads(len(targets)):
        model.fit(inputs, targets)
    unseen, truth = _arrays(held_out)
    probabilities = np.zeros((len(truth), classes), np.float32)
    probabilities[:, model.classes_] = model.predict_proba(unseen)
    return probabilities, truth


def log_loss(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Mean cross-entropy of ``[rows, classes]`` probabilities."""
    own = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(own, np.finfo(np.float32).tiny)).mean())


def boosted_numbers(train: Source, held_out: Source, features: Features) -> tuple[Floats, Floats]:
    """Predictions and truth of the rows that were held out, standardised."""
    inputs, targets = _arrays(train, _MAX_ROWS)
    model = HistGradientBoostingRegressor(
        max_iter=_MAX_ROUNDS, categorical_features=_categories(features), random_state=0
    )
    with _threads(len(targets)):
        model.fit(inputs, targets)
    unseen, truth = _arrays(held_out)
    return np.asarray(model.predict(unseen)), truth


def _threads(rows: int) -> threadpool_limits:
    """As many threads as torch was given; few rows are done sooner by one."""
    return threadpool_limits(torch.get_num_threads() if rows > _FEW_ROWS else 1, "openmp")


def _categories(features: Features) -> list[int]:
    return [
        len(features.numeric) + i
        for i, feature in enumerate(features.categorical)
        if feature.cardinality <= _MAX_CODES
    ]


def _arrays(source: Source, limit: int | None = None) -> tuple[Floats, NDArray[Any]]:
    """Inputs ``[rows, numbers and then codes]`` and targets, at most ``limit`` rows of them."""
    [batch] = source.read(source.plan(len(source)))
    step = -(-len(source) // limit) if limit else 1
    parts = [batch.inputs[name].numpy()[::step] for name in ("numeric", "categorical")]
    return np.concatenate(parts, axis=1), batch.targets.numpy()[::step]
