"""Precision, recall and F1 of each class, and the area under the ROC curve.

Counted here and not by scikit-learn, whose import takes longer than training a small network.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 1 << 18

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class ClassScores:
    """Scores ``[classes]`` from counts of samples; 0 where none was predicted or none is there."""

    right: Counts
    predicted: Counts
    support: Counts

    @property
    def precision(self) -> NDArray[np.float64]:
        """The share of the samples predicted as a class that are of it."""
        return _share(self.right, self.predicted)

    @property
    def recall(self) -> NDArray[np.float64]:
        """The share of the samples of a class that were predicted as it."""
        return _share(self.right, self.support)

    @property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of precision and recall."""
        return _share(2 * self.right, self.predicted + self.support)

    @classmethod
    def of_classes(cls, targets: Counts, predicted: Counts, classes: int) -> ClassScores:
        """Count class numbers ``[rows]``, one a sample."""
        right = targets[predicted == targets]
        return cls(*(np.bincount(part, minlength=classes) for part in (right, predicted, targets)))

    @classmethod
    def of_labels(cls, targets: Counts, predicted: Counts) -> ClassScores:
        """Count zeros and ones ``[rows, classes]``."""
        return cls(*(part.sum(0) for part in (targets * predicted, predicted, targets)))

    def pooled(self) -> ClassScores:
        """Return the scores of all classes taken as one."""
        return ClassScores(*(part.sum(keepdims=True) for part in astuple(self)))

    def means(self) -> dict[str, float]:
        """Return the means over the classes that have samples, NaN if none has."""
        present = self.support > 0
        scores = {"f1": self.f1, "precision": self.precision, "recall": self.recall}
        return {
            name: float(score[present].mean()) if present.any() else float("nan")
            for name, score in scores.items()
        }


def _share(part: Counts, whole: Counts) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def area_under_curve(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve; NaN where a score is.

    This is the share of pairs in which the positive sample has the higher score; ties count half.
    """
    if np.isnan(scores).any():
        return float("nan")
    others, below = np.sort(scores[~positive]), 0
    for part in np.array_split(scores[positive], 1 + positive.sum() // _AT_ONCE):
        below += int(np.searchsorted(others, part, "left").sum())
        below += int(np.searchsorted(others, part, "right").sum())
    return below / (2 * len(others) * int(positive.sum()))
