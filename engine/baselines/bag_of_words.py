"""The baseline of text classification: a bag of words and logistic regression."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from engine.metrics.classification import evaluate_classes
from engine.metrics.evaluator import Evaluation

ROWS = 20_000
"""More training rows than this change little and take long."""

Labelled = tuple[Sequence[str], Sequence[int]]


def bag_of_words(train: Labelled, test: Iterable[Labelled], classes: Sequence[str]) -> Evaluation:
    """Metrics on ``test``, which comes in parts, of a regression over words and pairs of words."""
    # A second of imports, only once the network is trained.
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\S+"),
        LogisticRegression(C=10.0, max_iter=300),
    )
    model.fit(*train)
    said, true = [], []
    for texts, codes in test:
        said.append(np.zeros((len(texts), len(classes)), np.float32))
        said[-1][:, model.classes_] = model.predict_proba(texts)
        true.append(np.asarray(codes, np.int64))
    probabilities, targets = np.concatenate(said), np.concatenate(true)
    chances = np.clip(probabilities[np.arange(len(targets)), targets], 1e-12, 1.0)
    return evaluate_classes(probabilities, targets, classes, float(-np.log(chances).mean()))
