"""The evaluation of a baseline by its probabilities, as a network is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.metrics.classes.classification import evaluate_classes
from engine.metrics.classes.multilabel import evaluate_labels
from engine.metrics.evaluator import Evaluation

_LEAST = 1e-12
"""Probabilities below this count as it in the loss."""


def evaluated(
    said: NDArray[np.float32],
    true: NDArray[np.int64],
    classes: Sequence[str],
    keys: NDArray[np.uint64],
) -> Evaluation:
    """Return metrics and cross-entropy of probabilities ``[rows, classes]``.

    ``true`` has the number of each row's class, or ``[rows, classes]`` of 0 and 1; the rows are
    known by ``keys``.
    """
    several = true.ndim == 2
    evaluate = evaluate_labels if several else evaluate_classes
    chances = np.where(true > 0, said, 1 - said) if several else said[np.arange(len(true)), true]
    loss = float(-np.log(np.clip(chances, _LEAST, 1.0)).mean())
    result = evaluate(said, true, classes, loss)
    assert result.rows is not None
    return replace(result, rows=replace(result.rows, keys=keys))
