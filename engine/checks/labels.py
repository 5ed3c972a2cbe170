"""Labels that are likely wrong: a quick model that has not seen them contradicts with confidence.

Confident learning (Northcutt et al. 2021): a label is doubted where the out-of-fold probability of
another class exceeds the mean that rows of that class have.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from engine.checks.examined import Doubt, Examined, Limit, Places, some_rows
from engine.checks.thumbnails import thumbnails
from engine.checks.values import categories_of, floats_of, target_numbers
from engine.data.raw import TRAIN
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.text.rows import joined_texts

_ROWS = 10_000
_FEWEST = 100
_FOLDS = 3
_MOST_CLASSES = 30
_TREES = 300
"""Trees of all classes and rounds together."""
_GUESS = 0.6
"""Share of the errors of the most frequent class that a model must avoid to judge labels."""
_LITTLE = 0.1
"""A label is doubted only where its own probability is lower."""
_GROUPS = 10
_FAR = 8.0
"""Robust standard deviations from which on a residual is flagged."""
_CODES = 200
"""Columns with more categories are coded as numbers."""


def wrong_labels(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield training rows whose label or target number is likely wrong."""
    roles = data.roles
    known = roles.image or roles.texts or roles.columns
    if not roles.target_kind or not known:
        return
    if data.train.num_rows < _FEWEST:
        yield Limit(f"labels were not judged: that takes {_FEWEST} training rows")
        return
    if data.train.num_rows > _ROWS:
        yield Limit(f"labels were checked in {_ROWS:,} of {data.train.num_rows:,} training rows")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # rough probabilities are enough
        if roles.target_kind == "classes":
            yield from _wrong_classes(data)
        elif roles.columns:
            yield from _wrong_numbers(data)


def _wrong_classes(data: Examined) -> Iterator[Doubt | Limit]:
    inputs, places, model = _inputs(data)
    table = data.train.select([data.roles.target]).take(pa.array(places))
    names, codes = categories_of(table, data.roles.target)
    counts = np.bincount(codes, minlength=len(names))
    usable = counts[codes] >= _FOLDS * 2
    if not 2 <= int((counts >= _FOLDS * 2).sum()) <= _MOST_CLASSES:
        yield Limit(f"labels were not judged: that takes 2 to {_MOST_CLASSES} classes")
        return
    inputs, places = inputs[np.flatnonzero(usable)], places[usable]
    present, codes = np.unique(codes[usable], return_inverse=True)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    chances = cross_val_predict(model, inputs, codes, cv=folds, method="predict_proba")
    accuracy = float((chances.argmax(axis=1) == codes).mean())
    usual = float(np.bincount(codes).max() / len(codes))
    if accuracy - usual < _GUESS * (1 - usual):
        yield Limit(f"labels were not judged: a quick model is right in {accuracy:.0%} only")
        return
    doubted = doubted_labels(chances, codes)
    if len(doubted):
        why = (
            f"{counted(len(doubted), 'label')} likely wrong: a quick model that has not seen them "
            f"is sure of another class (its accuracy is {accuracy:.1%})"
        )
        best = chances[doubted].argmax(axis=1)
        remarks = [
            f"expected {plain(names[present[code]], 40)} ({chances[row, code]:.0%})"
            for row, code in zip(doubted, best, strict=True)
        ]
        yield Doubt("wrong labels", why, data.roles.target, {TRAIN: places[doubted]},
                    ("drop rows",), {TRAIN: remarks})  # fmt: skip


def doubted_labels(chances: NDArray[np.float64], codes: NDArray[np.int64]) -> Places:
    """Return the rows whose label is doubted by out-of-fold probabilities, the worst first."""
    rows = np.arange(len(codes))
    own = chances[rows, codes]
    usual = np.array([own[codes == code].mean() for code in range(chances.shape[1])])
    others = np.where(chances >= usual, chances, 0.0)
    others[rows, codes] = 0.0
    doubted = np.flatnonzero((others.max(axis=1) > 0) & (own < _LITTLE))
    return doubted[np.argsort(own[doubted] - chances[doubted].max(axis=1), kind="stable")]


def _wrong_numbers(data: Examined) -> Iterator[Doubt | Limit]:
    some, places = some_rows(data.train, _ROWS)
    inputs, categories = _matrix(some, data)
    truth = target_numbers(some, data.roles.target)
    known = np.isfinite(truth)
    inputs, truth, places = inputs[known], truth[known], places[known]
    model = HistGradientBoostingRegressor(
        max_iter=60, categorical_features=categories, random_state=0
    )
    folds = KFold(_FOLDS, shuffle=True, random_state=0)
    expected = cross_val_predict(model, inputs, truth, cv=folds)
    distance = outlying(truth, expected)
    far = np.flatnonzero(distance > _FAR)
    if len(far):
        why = (
            f"{counted(len(far), 'target')} far from what a quick model expects: beyond "
            f"{_FAR:g} robust standard deviations of its errors"
        )
        far = far[np.argsort(-distance[far], kind="stable")]
        remarks = [f"expected {value:.4g}" for value in expected[far]]
        yield Doubt("wrong labels", why, data.roles.target, {TRAIN: places[far]},
                    ("drop rows",), {TRAIN: remarks})  # fmt: skip


def outlying(truth: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each target from what is expected, in robust standard deviations.

    Errors are compared with those of similar expectations: large numbers have larger ones.
    """
    residuals = truth - expected
    distance = np.zeros(len(truth))
    for group in np.array_split(np.argsort(expected, kind="stable"), _GROUPS):
        own = residuals[group]
        off = np.abs(own - np.median(own))
        distance[group] = off / (1.4826 * np.median(off) or np.inf)
    return distance


def _inputs(data: Examined) -> tuple[Any, Places, Any]:
    """Return inputs of a quick model, their rows, and the model."""
    roles = data.roles
    if roles.image:
        chosen = some_rows(data.train, _ROWS)[1]
        pixels, places = thumbnails(data.train, roles.image, chosen)
        return pixels, places, LogisticRegression(C=0.1, max_iter=100)
    some, places = some_rows(data.train, _ROWS)
    if roles.columns:
        inputs, categories = _matrix(some, data)
        classes = max(1, len(categories_of(some, roles.target)[0]))
        rounds = max(10, _TREES // (1 if classes == 2 else classes))
        model = HistGradientBoostingClassifier(
            max_iter=min(60, rounds), categorical_features=categories, random_state=0
        )
        return inputs, places, model
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=50_000)
    texts = np.array(joined_texts(some, roles.texts), dtype=object)
    return texts, places, make_pipeline(words, LogisticRegression(C=10.0, max_iter=100))


def _matrix(table: pa.Table, data: Examined) -> tuple[NDArray[np.float64], list[int]]:
    """Return the inputs ``[rows, columns]``, and the columns of categories among them."""
    columns, categories = [], []
    for place, column in enumerate(data.columns):
        if column.type != "categorical":
            columns.append(floats_of(table, column))
            continue
        known, codes = categories_of(table, column.name, column.as_written)
        columns.append(np.where(codes < 0, np.nan, codes.astype(np.float64)))
        if len(known) <= _CODES:
            categories.append(place)
    return np.stack(columns, axis=1), categories
