"""COCO's mean average precision on images that are drawn again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from engine.metrics.uncertainty.drawn_scores import DrawnScore
from engine.metrics.uncertainty.intervals import Floats, Resamples

_LEVELS = np.linspace(0, 1, 101)
"""Levels of recall at which precision is taken, as in COCO."""
_CELLS = 1 << 21
"""Draws times objects that are computed at a time."""
_LEAST = float(np.spacing(1))


@dataclass(frozen=True)
class RankedObjects:
    """The objects found of one class in all images, the surest first, and the true ones."""

    image: NDArray[np.int64]
    """The image of each object that was found."""
    right: NDArray[np.bool_]
    """Whether it is a true one, ``[thresholds of IoU, objects]``."""
    there: Floats
    """Objects of the class in each image."""

    def precision(self, drawn: Resamples) -> Floats:
        """Return the average precision at each threshold, ``[draws, thresholds]``.

        NaN for a draw without an object of the class.
        """
        totals = drawn.times(np.arange(len(self.there))) @ self.there
        found = np.empty((len(totals), len(self.right)))
        for some in self._some(len(totals)):
            times = drawn.draws(some).times(self.image)
            parts = [_average(times, right, totals[some]) for right in self.right]
            found[some] = np.stack(parts, 1)
        return np.where(totals[:, None] > 0, found, np.nan)

    def recall(self, drawn: Resamples) -> Floats:
        """Return the share of objects that were found at each threshold, ``[draws, thresholds]``"""
        totals = drawn.times(np.arange(len(self.there))) @ self.there
        right = self.right.T.astype(np.float64)
        parts = [drawn.draws(some).times(self.image) @ right for some in self._some(len(totals))]
        return np.concatenate(parts) / totals[:, None]

    def _some(self, draws: int) -> Iterator[slice]:
        """Yield the draws in parts that need little memory."""
        step = max(1, _CELLS // max(1, len(self.image)))
        yield from (slice(first, first + step) for first in range(0, draws, step))


def _average(times: Floats, right: NDArray[np.bool_], totals: Floats) -> Floats:
    """Return the mean precision over the levels of recall, of each draw."""
    hits = np.cumsum(times * right, axis=1)
    wrong = np.cumsum(times * ~right, axis=1)
    precision = hits / (hits + wrong + _LEAST)
    # The best precision at this recall or a higher one.
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    found = np.zeros(len(times))
    for row, total in enumerate(totals):
        if total > 0 and hits.shape[1]:
            places = np.searchsorted(hits[row] / total, _LEVELS, side="left")
            found[row] = best[row, places[places < hits.shape[1]]].sum() / len(_LEVELS)
    return found


def ranked_objects(matches: Sequence[Mapping[str, Any] | None], images: int) -> RankedObjects:
    """Return the objects of one class from pycocotools' matches of all images.

    Those behind the last right one change nothing, and are left out.
    """
    known = [one for one in matches if one is not None]
    there = np.zeros(images)
    for one in known:
        there[one["image_id"]] = len(one["gtIds"])
    if not known:
        return RankedObjects(np.zeros(0, np.int64), np.zeros((10, 0), np.bool_), there)
    scores = np.concatenate([one["dtScores"] for one in known])
    image = np.concatenate([np.full(len(one["dtScores"]), one["image_id"]) for one in known])
    right = np.concatenate([one["dtMatches"] > 0 for one in known], axis=1)
    order = np.argsort(-scores, kind="stable")
    right, image = right[:, order], image[order].astype(np.int64)
    last = int(np.flatnonzero(right.any(0)).max(initial=-1)) + 1
    return RankedObjects(image[:last], right[:, :last], there)


@dataclass(frozen=True)
class MeanPrecision(DrawnScore):
    """COCO's mAP: the mean over the classes that are there and the thresholds of IoU."""

    classes: Sequence[RankedObjects]
    draws: int = 200

    @override
    def of(self, drawn: Resamples) -> Floats:
        each = np.stack([one.precision(drawn) for one in self.classes], 1)
        return _known_mean(each)

    @override
    def ordered(self, order: NDArray[np.intp]) -> Self:
        place = np.argsort(order)
        classes = [
            RankedObjects(place[one.image], one.right, one.there[order]) for one in self.classes
        ]
        return replace(self, classes=classes)


def precision_draws(classes: Sequence[RankedObjects], drawn: Resamples) -> dict[str, Floats]:
    """Return COCO's metrics of each draw."""
    precision = np.stack([one.precision(drawn) for one in classes], 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.stack([one.recall(drawn) for one in classes], 1)
    return {
        "map": _known_mean(precision),
        "map50": _known_mean(precision[:, :, :1]),
        "map75": _known_mean(precision[:, :, 5:6]),
        "recall": _known_mean(recall),
    }


def _known_mean(values: Floats) -> Floats:
    """Return the mean of what is known over all dimensions but the first."""
    flat = values.reshape(len(values), -1)
    known = np.isfinite(flat)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, flat, 0).sum(1) / known.sum(1))
