"""The decision between two classes: its threshold, chosen for a precision, a recall or a cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config.tasks.threshold import ThresholdRule
from engine.metrics.uncertainty.intervals import share_interval
from engine.reports.views import Cell, Table

Floats = NDArray[np.float64]
_COLUMNS = ("threshold", "precision", "recall", "false positives", "false negatives")

_WIDE = 0.02
"""An interval that leaves the third digit open."""


@dataclass(frozen=True)
class Threshold:
    """The probability of the positive class from which on a row is taken for it."""

    positive: int
    """Number of the positive class, 0 or 1."""
    value: float
    rule: ThresholdRule
    reached: bool = True
    """Whether the validation rows have the precision that was asked for."""

    def decisions(self, probabilities: Any) -> Any:
        """Return the class of each row of ``[rows, 2]`` probabilities, an array or a tensor."""
        found = probabilities[:, self.positive] >= self.value
        return found * self.positive + ~found * (1 - self.positive)


def decisions(
    probabilities: NDArray[np.floating], threshold: Threshold | None
) -> NDArray[np.int64]:
    """Return the class of each row: the likeliest one, unless there is a threshold."""
    if threshold is None:
        likeliest: NDArray[np.int64] = probabilities.argmax(1)
        return likeliest
    found: NDArray[np.int64] = threshold.decisions(probabilities)
    return found


def choose_threshold(
    scores: NDArray[np.floating], truth: NDArray[np.bool_], rule: ThresholdRule
) -> tuple[float, bool]:
    """Return a threshold for the scores of the positive class, and whether the aim is reached.

    It lies halfway between two scores. Where no threshold has the precision that is asked for, it
    is the one with the highest.
    """
    if rule.aim == "value":
        return rule.value, True
    cuts, right, taken = _cuts(scores.astype(np.float64), truth)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = right / taken, right / truth.sum()
        f1 = 2 * right / (taken + truth.sum())
    if rule.aim == "precision":
        enough = np.flatnonzero(precision >= rule.value)
        # Of those with the same recall, the first takes the fewest negative rows.
        best = enough[np.argmax(right[enough])] if len(enough) else np.nanargmax(precision)
        return float(cuts[best]), len(enough) > 0
    if rule.aim == "recall":
        fine = np.where(recall >= rule.value, precision, -1)
        return float(cuts[np.flatnonzero(fine == fine.max())[-1]]), True  # of equals, most recall
    cost = rule.value * (taken - right) + rule.missed * (truth.sum() - right)
    best = np.argmin(cost) if rule.aim == "cost" else np.argmax(f1)
    return float(cuts[best]), True


def _cuts(scores: Floats, truth: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Return falling thresholds, and of each the rows it takes: the positive ones, and all."""
    order = np.argsort(-scores, kind="stable")
    ranked = np.concatenate([[1.0], scores[order], [-1.0]])
    apart = ranked[:-1] > ranked[1:]
    right = np.concatenate([[0], np.cumsum(truth[order])]).astype(np.float64)
    taken = np.arange(len(right), dtype=np.float64)
    middles = np.maximum((ranked[:-1] + ranked[1:]) / 2, 0)
    return middles[apart], right[apart], taken[apart]


def threshold_table(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.int64],
    names: Sequence[str],
    threshold: Threshold,
) -> Table:
    """Return what the threshold and 0.5 come to, with intervals of 95 % of precision and recall."""
    scores, truth = probabilities[:, threshold.positive], targets == threshold.positive
    rule, columns = threshold.rule, list(_COLUMNS)
    if rule.aim == "cost":  # what was asked for is first, where a narrow terminal shows it
        columns.insert(1, f"cost {rule.value:g}:{rule.missed:g}")
    aim = {"value": "as set", "f1": "for F1", "cost": "for the least cost"}.get(
        rule.aim, f"for a {rule.aim} of {rule.value:g}"
    )
    missed = "" if threshold.reached else ", which no threshold reaches on the validation rows"
    title = f"Decision for {names[threshold.positive]}: threshold {threshold.value:.4g}, {aim}"
    values = dict.fromkeys((threshold.value, 0.5))
    return Table(title + missed, columns, [_row(scores >= at, truth, at, rule) for at in values])


def _row(
    taken: NDArray[np.bool_], truth: NDArray[np.bool_], value: float, rule: ThresholdRule
) -> list[Cell]:
    right = int((taken & truth).sum())
    wrong, missed = int(taken.sum()) - right, int(truth.sum()) - right
    cells: list[Cell] = [_share(right, right + wrong), _share(right, right + missed), wrong, missed]
    cost = round(rule.value * wrong + rule.missed * missed, 4)
    return [round(value, 4), *[cost] * (rule.aim == "cost"), *cells]


def _share(part: int, whole: int) -> str:
    """Return a share with its interval, in as many digits as it is known to."""
    if not whole:
        return "–"
    low, high = share_interval(part / whole, whole)
    digits = 2 if high - low >= _WIDE else 4
    return f"{part / whole:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
