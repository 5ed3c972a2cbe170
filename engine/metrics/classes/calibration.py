"""Calibration of classifiers: a temperature for the logits, and the error of probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.reports.views import Cell, Table

_BINS = 10
_FEWEST = 100
"""In fewer rows, a temperature would be that of chance."""
_MOST = 50_000
"""Rows, evenly spread, by which a temperature is fitted at most."""
_WIDEST = 20.0
"""Temperatures lie between this and its inverse."""
_HALVINGS = 40


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Return the divisor of ``[rows, classes]`` logits with the least cross-entropy.

    Guo et al. 2017. It is 1 for few rows, for logits that are not numbers, and where all rows are
    right: any probability would fit these.
    """
    right = bool((logits.argmax(1) == targets).all())
    if len(targets) < _FEWEST or right or not logits.isfinite().all():
        return 1.0
    step = -(-len(targets) // _MOST)
    logits, targets = logits[::step].double(), targets[::step]
    own = logits.gather(1, targets[:, None]).squeeze(1)
    low, high = -np.log(_WIDEST), np.log(_WIDEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # The loss is convex in the inverse of the temperature: its slope has one change of sign.
        mean = ((logits * np.exp(middle)).softmax(1) * logits).sum(1)
        if float((mean - own).mean()) > 0:
            high = middle
        else:
            low = middle
    return float(np.exp(-(low + high) / 2))


def reliability(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64], temperature: float = 1.0
) -> Table:
    """Return accuracies in bins of the probability, with the expected calibration error."""
    likeliest = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == targets
    bins = np.minimum((likeliest * _BINS).astype(np.int64), _BINS - 1)
    rows: list[list[Cell]] = []
    error = 0.0
    for at in np.unique(bins):
        mine = bins == at
        sure, found = float(likeliest[mine].mean()), float(right[mine].mean())
        error += abs(sure - found) * float(mine.mean())
        ends = f"{at / _BINS:.1f}–{(at + 1) / _BINS:.1f}"
        rows.append([ends, int(mine.sum()), round(sure, 4), round(found, 4)])
    heat = f", temperature {temperature:.3g}" if temperature != 1.0 else ""
    title = f"Reliability: expected calibration error {error:.4f}{heat}"
    return Table(title, ["probability", "samples", "mean probability", "accuracy"], rows)
