"""The baseline of text classification and regression: a bag of words and a linear model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.metrics.classification import evaluate_classes
from engine.metrics.evaluator import Evaluation

WORDS_AND_RIDGE = "words and ridge regression"
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


def numbers_from_words(
    texts: Sequence[str], targets: Sequence[float | None], new: Sequence[str]
) -> NDArray[np.float64]:
    """Return the numbers of ``new`` texts by a ridge regression over words and pairs of words."""
    # A second of imports, only once the network is trained.
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\S+"), Ridge()
    )
    model.fit(texts, np.array(targets, np.float64))
    return np.asarray(model.predict(new), np.float64)
