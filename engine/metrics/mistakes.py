"""Wrong predictions of a classifier, the worst first, each with the probability of its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_THRESHOLD = 0.5
_NONE = "—"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A sample whose class, or one of whose labels, is wrong."""

    row: int
    """Place of the sample among those given."""
    label: str
    """Its class, or all of its labels."""
    predicted: str
    judged: str
    """The predicted class; among several labels, the one that is the most wrong."""
    probability: float
    """The predicted probability of ``judged``."""
    wrongness: float
    """The distance of that probability from the truth (0 or 1); mistakes are ordered by it."""

    @property
    def text(self) -> str:
        """The probability with the label that it is of, unless it is that of the prediction."""
        share = f"{self.probability:.0%}"
        return share if self.judged == self.predicted else f"{self.judged} {share}"


def find_mistakes(
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    names: Sequence[str],
    most: int,
) -> tuple[list[Mistake], int]:
    """Return the worst ``most`` mistakes and the number of all.

    ``probabilities`` are ``[rows, classes]``; ``targets`` are class numbers ``[rows]``, or ones and
    zeros ``[rows, classes]`` where a sample has several labels.
    """
    known = np.eye(len(names), dtype=bool)
    if targets.ndim == 1:
        truth, predicted = known[targets], known[probabilities.argmax(1)]
        # The true class is wrong too, but its probability is not that of the prediction.
        judged = predicted & ~truth
    else:
        truth, predicted = targets > 0, probabilities > _THRESHOLD
        judged = truth != predicted
    distances = np.where(judged, np.abs(truth - probabilities), -1.0)
    worst_label = distances.argmax(1)
    wrong = np.flatnonzero(judged.any(1))
    ordered = wrong[np.argsort(-distances[wrong].max(1), kind="stable")][:most]

    def joined(flags: NDArray[np.bool_]) -> str:
        return ", ".join(names[place] for place in np.flatnonzero(flags).tolist()) or _NONE

    return [
        Mistake(
            int(row),
            joined(truth[row]),
            joined(predicted[row]),
            names[int(worst_label[row])],
            float(probabilities[row, worst_label[row]]),
            float(distances[row, worst_label[row]]),
        )
        for row in ordered
    ], len(wrong)
