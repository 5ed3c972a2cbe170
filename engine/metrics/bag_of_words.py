"""The simple thing that a network on text is held against: words and logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from engine.metrics.classification import evaluate_classes
from engine.tasks.task import Evaluation

_ROWS = 20_000
"""More training rows than this change little and take long."""

Labelled = tuple[Sequence[str], Sequence[int]]


def bag_of_words(train: Labelled, test: Labelled, classes: Sequence[str]) -> Evaluation:
    """Metrics on ``test`` of a regression over words and pairs of words of ``train``."""
    texts, codes = train
    step = max(1, len(texts) // _ROWS)
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\S+"),
        LogisticRegression(C=10.0, max_iter=300),
    )
    model.fit(texts[::step], codes[::step])
    known = model.predict_proba(test[0])
    probabilities = np.zeros((len(known), len(classes)), np.float32)
    probabilities[:, model.classes_] = known
    targets = np.asarray(test[1], np.int64)
    chances = np.clip(probabilities[np.arange(len(targets)), targets], 1e-12, 1.0)
    return evaluate_classes(probabilities, targets, classes, float(-np.log(chances).mean()))
