"""The baseline of text classification and regression: a bag of words and a linear model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.baselines.evaluated import evaluated
from engine.baselines.logistic import fitted_classes, fitted_flags
from engine.metrics.evaluator import Evaluation
from engine.metrics.uncertainty.paired import text_keys
from engine.processes.later import Later

text, pipeline = Later("sklearn.feature_extraction.text"), Later("sklearn.pipeline")
linear_model = Later("sklearn.linear_model")

WORDS_AND_LOGISTIC = "words and logistic regression"
WORDS_AND_RIDGE = "words and ridge regression"
ROWS = 20_000
"""More training rows than this change little and take long."""
_STRENGTH = 10.0

Labelled = tuple[Sequence[str], Sequence[int]]
Flagged = tuple[Sequence[str], Sequence[Sequence[int]]]
"""Texts, and a 0 or 1 for each class."""


def bag_of_words(train: Labelled, test: Iterable[Labelled], classes: Sequence[str]) -> Evaluation:
    """Metrics on ``test``, which comes in parts, of a regression over words and pairs of words."""
    words = _words()
    likelihoods = fitted_classes(words.fit_transform(train[0]), train[1], len(classes), _STRENGTH)
    said, true, keys = [], [], []
    for texts, codes in test:
        said.append(likelihoods(words.transform(texts)))
        true.append(np.asarray(codes, np.int64))
        keys.append(text_keys(texts))
    return evaluated(np.concatenate(said), np.concatenate(true), classes, np.concatenate(keys))


def labels_from_words(train: Flagged, test: Flagged, classes: Sequence[str]) -> Evaluation:
    """Metrics on ``test`` of a regression for each class, where a text can have several."""
    words = _words()
    inputs, flags = words.fit_transform(train[0]), np.asarray(train[1], np.int64)
    new, targets = words.transform(test[0]), np.asarray(test[1], np.int64)
    said = fitted_flags(inputs, flags, _STRENGTH)(new)
    return evaluated(said, targets, classes, text_keys(test[0]))


def numbers_from_words(
    texts: Sequence[str], targets: Sequence[float | None], new: Sequence[str]
) -> NDArray[np.float64]:
    """Return the numbers of ``new`` texts by a ridge regression over words and pairs of words."""
    model = pipeline.make_pipeline(_words(), linear_model.Ridge())
    model.fit(texts, np.array(targets, np.float64))
    return np.asarray(model.predict(new), np.float64)


def _words() -> Any:
    """Return what makes weighted words and pairs of words of texts."""
    return text.TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\S+")
