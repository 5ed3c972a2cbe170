"""The network and its baseline on the same rows: the difference in pairs, and a sentence on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pandas.util import hash_array

from engine.metrics.uncertainty.drawn_scores import DrawnScore
from engine.metrics.uncertainty.intervals import (
    NORMAL,
    all_once,
    bootstrap,
    known_intervals,
    mean_interval,
    resamples,
)

_FEW = 10
"""Fewer rows than this say nothing."""
_LOPSIDED = 0.1
"""Part of half an interval by which its middle may be beside the difference."""
_ROOT = "root mean squared error"
_ROUNDING = 1e-5
"""Relative difference of targets that went through float32."""


@dataclass(frozen=True)
class PairedRows:
    """Losses of single rows: 1 for wrong and 0 for right, squared errors, or parts that are lost
    of a score between 0 and 1."""

    kind: Literal["wrong", "squared", "lost"]
    truth: NDArray[Any]
    """Targets, which show whether two evaluations have the same rows."""
    losses: NDArray[np.float64]
    metric: str = "accuracy"
    """The name of the share of rows that are right, or of the score."""
    keys: NDArray[np.uint64] | None = None
    """Hashes of the rows, where evaluations read them in different orders."""
    places: NDArray[np.int64] | None = None
    """Places of the rows in the split, where these are a part of it."""

    def ordered(self) -> Self:
        """The same in the order of the keys, where there are any."""
        if self.keys is None:
            return self
        order = _order(self.truth, self.keys)
        return replace(self, truth=self.truth[order], losses=self.losses[order], keys=None)

    def part(self, places: NDArray[np.int64] | None) -> Self:
        """The rows at ``places``, where these are some; else all."""
        if places is None or not len(places) or places.max() >= len(self.truth):
            return self
        return replace(self, truth=self.truth[places], losses=self.losses[places])


S = TypeVar("S", bound=DrawnScore)


@dataclass(frozen=True)
class ScoredRows(Generic[S]):
    """Rows with a score that is not a mean over them, such as F1 over all entities."""

    metric: str
    truth: NDArray[Any]
    """Numbers about the targets, which show whether two evaluations have the same rows."""
    score: S
    keys: NDArray[np.uint64] | None = None
    """Hashes of the rows, where evaluations read them in different orders."""

    def ordered(self) -> Self:
        """The same in the order of the keys, where there are any."""
        if self.keys is None:
            return self
        order = _order(self.truth, self.keys)
        score = self.score.ordered(order)
        return replace(self, truth=self.truth[order], score=score, keys=None)


def _order(truth: NDArray[Any], keys: NDArray[np.uint64]) -> NDArray[np.intp]:
    # Texts that occur twice may have different targets.
    return np.lexsort((*truth.reshape(len(truth), -1).T, keys))


@dataclass(frozen=True)
class PairedVerdict:
    """The advantage over the baseline, with the ends of its interval of 95 %; above 0 is better.

    In shares: of rows for classes, of the baseline's root mean squared error for numbers.
    """

    baseline: str
    metric: str
    difference: float
    low: float
    high: float

    @property
    def hardness(self) -> float:
        """A number by which verdicts on several baselines are ordered."""
        return -self.difference

    @property
    def outcome(self) -> str:
        """One of ``better``, ``worse`` and ``open``, where the interval has 0 in it."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "open"

    @property
    def text(self) -> str:
        """The verdict as a sentence."""
        size = self._size()
        if self.outcome == "better":
            return f"Better than {self.baseline} by {size}."
        if self.outcome == "worse":
            return f"Not better: use {self.baseline}, which is better by {size}."
        side = "ahead" if self.difference >= 0 else "behind"
        return (
            f"Not shown to be better than {self.baseline}: {side} by {size}, which may be chance."
        )

    def _size(self) -> str:
        """Return the size of the difference, with the ends of an interval that is lopsided."""
        middle, half = 50 * (self.low + self.high), 50 * (self.high - self.low)
        digits = 2 if half < 0.1 else 1
        number = f"{100 * abs(self.difference):.{digits}f}"
        unit = "%" if self.metric == _ROOT else "points"
        if abs(100 * self.difference - middle) <= _LOPSIDED * half:
            return f"{number} ± {half:.{digits}f} {unit} of {self.metric} (95 % interval)"
        side = 1 if self.difference >= 0 else -1
        low, high = sorted((100 * side * self.low, 100 * side * self.high))
        ends = f"{low:.{digits}f} to {high:.{digits}f}"
        return f"{number} {unit} of {self.metric} (95 % interval {ends})"

    def record(self) -> dict[str, Any]:
        """The verdict for a report."""
        return asdict(self) | {"outcome": self.outcome, "text": self.text}


def judge_rows(
    baseline: str, ours: PairedRows | ScoredRows[Any], theirs: PairedRows | ScoredRows[Any]
) -> PairedVerdict | None:
    """Compare in pairs; ``None`` where the rows are others, in another order, or too few."""
    ours, theirs = ours.ordered(), theirs.ordered()
    if isinstance(ours, PairedRows) and isinstance(theirs, PairedRows):
        ours = ours.part(theirs.places)
    if not _same_rows(ours.truth, theirs.truth):
        return None
    if isinstance(ours, ScoredRows) or isinstance(theirs, ScoredRows):
        return _judge_drawn(baseline, ours, theirs)
    if ours.kind != theirs.kind:
        return None
    if ours.kind == "wrong":
        return _judge_classes(baseline, ours, theirs.losses)
    if ours.kind == "lost":
        return _judge_scores(baseline, ours, theirs.losses)
    return _judge_numbers(baseline, ours.losses, theirs.losses)


def _same_rows(truth: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether both are of the same rows, and of enough of them."""
    if truth.shape != other.shape or len(truth) < _FEW:
        return False
    rounding = _ROUNDING * float(np.std(truth))
    return np.allclose(truth, other, rtol=_ROUNDING, atol=rounding)


def _judge_drawn(
    baseline: str, ours: PairedRows | ScoredRows[Any], theirs: PairedRows | ScoredRows[Any]
) -> PairedVerdict | None:
    """Compare scores of the same resampled rows."""
    if not isinstance(ours, ScoredRows) or not isinstance(theirs, ScoredRows):
        return None
    rows = len(ours.truth)
    once, drawn = all_once(rows), resamples(rows, ours.score.draws)
    difference = float((ours.score.of(once) - theirs.score.of(once))[0])
    ends = known_intervals({"gain": ours.score.of(drawn) - theirs.score.of(drawn)})
    if not np.isfinite(difference) or not ends:
        return None
    return PairedVerdict(baseline, ours.metric, difference, *ends["gain"])


def _judge_classes(baseline: str, ours: PairedRows, theirs: NDArray[np.float64]) -> PairedVerdict:
    """Compare by the rows that one alone has right, as McNemar's test does.

    The interval is that of Agresti and Min (2005), which adds half a row to each of the four cells.
    """
    losses, rows = ours.losses, len(ours.losses)
    won, lost = float((losses < theirs).sum()), float((losses > theirs).sum())
    middle = (won - lost) / (rows + 2)
    half = NORMAL * np.sqrt(won + lost + 1 - (won - lost) ** 2 / (rows + 2)) / (rows + 2)
    difference = (won - lost) / rows
    return PairedVerdict(
        baseline, ours.metric, difference, float(middle - half), float(middle + half)
    )


def _judge_scores(
    baseline: str, ours: PairedRows, theirs: NDArray[np.float64]
) -> PairedVerdict | None:
    """Compare mean scores by a paired bootstrap."""
    gains = theirs - ours.losses
    if not np.isfinite(gains).all():
        return None
    low, high = mean_interval("gain", gains)["gain"]
    return PairedVerdict(baseline, ours.metric, float(gains.mean()), low, high)


def text_keys(texts: Sequence[str]) -> NDArray[np.uint64]:
    """Return a hash of each text, by which rows of two evaluations are found again."""
    return hash_array(np.array(list(texts), dtype=object), categorize=False)


def _judge_numbers(
    baseline: str, ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> PairedVerdict | None:
    """Compare root mean squared errors by a paired bootstrap."""
    if not theirs.mean() > 0 or not np.isfinite(ours).all():
        return None

    def advantage(means: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1 - np.sqrt(means[:, 0] / means[:, 1])

    low, high = bootstrap([ours, theirs], {"rmse": advantage})["rmse"]
    difference = 1 - float(np.sqrt(ours.mean() / theirs.mean()))
    return PairedVerdict(baseline, _ROOT, difference, low, high)
