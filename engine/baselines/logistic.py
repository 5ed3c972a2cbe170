"""Logistic regression on features: one class a row, or several."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.processes.later import Later

dummy, exceptions = Later("sklearn.dummy"), Later("sklearn.exceptions")
linear_model = Later("sklearn.linear_model")

Likelihoods = Callable[[Any], NDArray[np.float32]]
"""A function from features ``[rows, features]`` to a probability for each class."""


def fitted_classes(
    features: Any, codes: Sequence[int], classes: int, strength: float, most_steps: int = 300
) -> Likelihoods:
    """Fit to the number of each row's class; a class without training rows is impossible.

    ``strength`` is the inverse of the regularization.
    """
    model: Any = dummy.DummyClassifier()
    if len(set(codes)) > 1:
        model = linear_model.LogisticRegression(C=strength, max_iter=most_steps)
    with warnings.catch_warnings():
        # The last digits change no verdict.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        model.fit(features, codes)

    def likelihoods(new: Any) -> NDArray[np.float32]:
        found = np.zeros((new.shape[0], classes), np.float32)
        found[:, model.classes_] = model.predict_proba(new)
        return found

    return likelihoods


def fitted_flags(
    features: Any, flags: NDArray[np.int64], strength: float, most_steps: int = 300
) -> Likelihoods:
    """Fit a regression for each class, where a row ``[classes]`` of 0 and 1 can have several."""
    own = [fitted_classes(features, column.tolist(), 2, strength, most_steps) for column in flags.T]
    return lambda new: np.stack([each(new)[:, 1] for each in own], axis=1)
