"""Scores that are not means over rows, on rows that are drawn again: F1, mean IoU, BLEU, mAP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from engine.metrics.uncertainty.intervals import Floats, Interval, Resamples, bootstrap

Formula = Callable[[Floats], Floats]
"""Scores ``[draws]`` from means ``[draws, columns]`` of numbers that each row has."""


class DrawnScore(ABC):
    """The score of an evaluation, which can be computed on other draws of its rows."""

    draws: int = 1000
    """Draws that an interval needs."""

    @abstractmethod
    def of(self, drawn: Resamples) -> Floats:
        """Return the score of each draw, ``[draws]``, from 0 to 1; NaN where it has none."""

    @abstractmethod
    def ordered(self, order: NDArray[np.intp]) -> Self:
        """Return the same with the rows in another order."""


@dataclass(frozen=True)
class SummedScore(DrawnScore):
    """A function of sums over the rows."""

    parts: Floats
    """The numbers of each row, ``[rows, columns]``."""
    formula: Formula

    @override
    def of(self, drawn: Resamples) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.formula(drawn.means(list(self.parts.T)))

    @override
    def ordered(self, order: NDArray[np.intp]) -> Self:
        return replace(self, parts=self.parts[order])


def summed_intervals(parts: Floats, formulas: Mapping[str, Formula]) -> dict[str, Interval]:
    """Return intervals of functions of sums over rows, ``[rows, columns]``."""
    return bootstrap(list(parts.T), formulas)


def ratio(part: int, whole: int) -> Formula:
    """Return the formula of the sum of one column by that of another."""
    return lambda means: means[:, part] / means[:, whole]
