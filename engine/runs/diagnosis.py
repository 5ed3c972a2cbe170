"""A diagnosis of a training from its evaluations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from engine.runs.events import Evaluated

_LATEST = 3
"""Number of evaluations in a row that must agree, so that noise is not taken for a trend."""
_WORSE = 0.01
"""Relative amount by which the validation loss must be above its best, at least."""
_NOISES = 2.0
"""Standard deviations of its noise by which it must be above its best, at least."""
_STRETCH = 12
"""Evaluations from which the noise is estimated."""
_OF_NORMAL = 0.6745 * math.sqrt(6)
"""Median of the absolute second difference of white noise with a standard deviation of 1."""


def diagnose(evaluations: Sequence[Evaluated]) -> str:
    """Return a warning about overfitting, or about no learning at all; empty if all is well.

    Overfitting: each of the last three validation losses is above the best one, by more than their
    noise. Each training loss of the same evaluations is below the one at the best.
    """
    rows = [
        (row, loss, row.train_loss)
        for row in evaluations
        if (loss := row.metrics.get("loss")) is not None and row.train_loss is not None
    ]
    if len(rows) <= _LATEST:
        return ""
    best, lowest, trained = min(rows[:-_LATEST], key=lambda entry: entry[1])
    latest = rows[-_LATEST:]
    margin = max(_WORSE * abs(lowest), _NOISES * _noise([loss for _, loss, _ in rows]))
    if all(loss > lowest + margin and train < trained for _, loss, train in latest):
        return _overfitting(best, lowest, latest[-1][1])
    first = rows[0][2]
    if all(train >= first for _, _, train in latest):
        return "not learning: the training loss is no lower than at the first evaluation"
    return ""


def _noise(losses: Sequence[float]) -> float:
    """Estimate the standard deviation of noise on a trend, from second differences."""
    newest = losses[-_STRETCH:]
    bends = [abs(a - 2 * b + c) for a, b, c in zip(newest, newest[1:], newest[2:], strict=False)]
    return median(bends) / _OF_NORMAL if bends else 0.0


def _overfitting(best: Evaluated, lowest: float, now: float) -> str:
    above = f"{(now - lowest) / abs(lowest):.0%} above" if lowest else "above"
    return (
        f"overfitting: the validation loss is {above} its best (epoch {best.epoch:.3g}), "
        "while the training loss still falls"
    )
