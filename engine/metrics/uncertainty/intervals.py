"""Intervals of 95 % for metrics over the rows of a split, in a time that hardly grows with them.

Rows are taken as independent draws. Means and what follows from them are bootstrapped; of many rows
in random blocks, whose sums vary as the rows do. Metrics of classes are bootstrapped by the cells
of the confusion matrix, which is the same as by rows. Shares have Wilson's interval, which has a
width at 0 and 1 too, and areas under the ROC curve that of DeLong on the logit scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]
Statistics = Mapping[str, Callable[[Floats], Floats]]

SHARE = 0.95
NORMAL = 1.959964
"""The quantile of the normal distribution that leaves 2.5 % above."""
_DRAWS = 1000
_FEWEST_DRAWS = 200
_BLOCKS = 2000
_DRAWN_CELLS = 2_000_000
"""Cells of confusion matrices that are drawn, over all draws."""
_RANKED = 8_000_000
"""Up to this many rows times classes, areas under the ROC curve get an interval."""


def share_interval(share: float, rows: int) -> Interval:
    """Return Wilson's interval for a share of ``rows``."""
    middle = share + NORMAL**2 / (2 * rows)
    half = NORMAL * np.sqrt(share * (1 - share) / rows + NORMAL**2 / (4 * rows**2))
    scale = 1 + NORMAL**2 / rows
    return float(max(0.0, (middle - half) / scale)), float(min(1.0, (middle + half) / scale))


@dataclass(frozen=True)
class Resamples:
    """Random draws of rows with replacement; of many rows, of random blocks of them."""

    counts: Floats
    """The number of times each block was drawn, ``[draws, blocks]``."""
    block: NDArray[np.int64]
    """The block of each row."""

    def means(self, columns: Sequence[NDArray[np.floating]]) -> Floats:
        """Return the means ``[draws, columns]`` over the rows of each draw."""
        blocks = self.counts.shape[1]
        parts = [np.ones(len(self.block)), *columns]
        sums = np.stack([np.bincount(self.block, part, blocks) for part in parts], axis=1)
        totals = self.counts @ sums
        return np.asarray(totals[:, 1:] / totals[:, :1])

    def draws(self, some: slice) -> Resamples:
        """Return some of the draws."""
        return Resamples(self.counts[some], self.block)

    def times(self, rows: NDArray[np.int64]) -> Floats:
        """Return how often each of some rows was drawn, ``[draws, rows]``."""
        return self.counts[:, self.block[rows]]


def resamples(rows: int, draws: int = _DRAWS) -> Resamples:
    """Return draws of ``rows`` rows, the same for the same numbers."""
    random = np.random.default_rng(0)
    block = np.arange(rows) if rows <= _BLOCKS else random.permutation(rows) % _BLOCKS
    blocks = min(rows, _BLOCKS)
    drawn = random.integers(blocks, size=(draws, blocks)) + blocks * np.arange(draws)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=draws * blocks).reshape(draws, blocks)
    return Resamples(counts.astype(np.float64), block)


def all_once(rows: int) -> Resamples:
    """Return the rows as they are, as a single draw."""
    return Resamples(np.ones((1, 1)), np.zeros(rows, np.int64))


def bootstrap(
    columns: Sequence[NDArray[np.floating]], statistics: Statistics
) -> dict[str, Interval]:
    """Return intervals of statistics of the ``columns``' means.

    A statistic gets the means ``[draws, columns]`` of the resampled rows.
    """
    rows = len(columns[0])
    if rows < 2:
        return {}
    with np.errstate(divide="ignore", invalid="ignore"):
        means = resamples(rows).means(columns)
        return known_intervals({name: of(means) for name, of in statistics.items()})


def mean_interval(name: str, values: NDArray[np.floating]) -> dict[str, Interval]:
    """Return the interval of the mean of ``values``, by its name."""
    return bootstrap([values], {name: lambda means: means[:, 0]})


def class_intervals(
    targets: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> dict[str, Interval]:
    """Return intervals of accuracy, and of precision, recall and F1 averaged over the classes."""
    rows = len(targets)
    cells, counts = np.unique(targets * classes + predicted, return_counts=True)
    draws = int(np.clip(_DRAWN_CELLS // len(cells), _FEWEST_DRAWS, _DRAWS))
    drawn = np.random.default_rng(0).multinomial(rows, counts / rows, draws).astype(np.float64)
    true, said = np.divmod(cells, classes)
    right = _by_class(drawn * (true == said), true, classes)
    support, found = _by_class(drawn, true, classes), _by_class(drawn, said, classes)
    parts = {
        "precision": _ratio(right, found),
        "recall": _ratio(right, support),
        "f1": _ratio(2 * right, support + found),
    }
    present = support > 0
    means = {name: (part * present).sum(1) / present.sum(1) for name, part in parts.items()}
    accuracy = float((targets == predicted).mean())
    return {"accuracy": share_interval(accuracy, rows)} | known_intervals(means)


def _by_class(drawn: Floats, classes_of: NDArray[np.int64], classes: int) -> Floats:
    """Sum drawn cells ``[draws, cells]`` by a class of each cell: ``[draws, classes]``."""
    order = np.argsort(classes_of, kind="stable")
    own, begins = np.unique(classes_of[order], return_index=True)
    sums = np.zeros((len(drawn), classes))
    sums[:, own] = np.add.reduceat(drawn[:, order], begins, axis=1)
    return sums


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def area_interval(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64], area: float
) -> Interval | None:
    """Return the interval of the mean area under the ROC curve; ``None`` where it has none.

    DeLong et al. 1988: each row's part in the area, by its rank among the other side's scores.
    """
    rows, classes = probabilities.shape
    if rows * classes > _RANKED or not 0 < area < 1:
        return None
    each = [1] if classes == 2 else range(classes)
    parts = np.mean([_parts(probabilities[:, i], targets == i) for i in each], axis=0)
    deviation = parts.std(ddof=1) / np.sqrt(rows) / (area * (1 - area))
    middle = np.log(area / (1 - area))
    low, high = (1 / (1 + np.exp(-middle - side * NORMAL * deviation)) for side in (-1, 1))
    return float(low), float(high)


def area_values(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> Floats:
    """Return values of rows whose mean is the area under the ROC curve, and varies as it does."""
    area = float(_below(scores[positive], scores[~positive]).mean())
    return area + _parts(scores, positive)


def _parts(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> Floats:
    """Return each row's influence on the area, of mean 0."""
    ours, others = scores[positive], scores[~positive]
    above, below = _below(ours, others), 1 - _below(others, ours)
    area, share = above.mean(), positive.mean()
    parts = np.empty(len(scores))
    parts[positive] = (above - area) / share
    parts[~positive] = (below - area) / (1 - share)
    return parts


def _below(values: NDArray[np.floating], others: NDArray[np.floating]) -> Floats:
    """Return the share of ``others`` below each value; equal ones count half."""
    ranked = np.sort(others)
    sides = (np.searchsorted(ranked, values, side) for side in ("left", "right"))
    return np.asarray(sum(side.astype(np.float64) for side in sides) / (2 * len(ranked)))


def known_intervals(draws: Mapping[str, Floats]) -> dict[str, Interval]:
    """Return the middle 95 % of each metric's finite draws; nothing for one that has none."""
    found = {}
    for name, values in draws.items():
        finite = values[np.isfinite(values)]
        if len(finite):
            low, high = np.quantile(finite, [(1 - SHARE) / 2, (1 + SHARE) / 2])
            found[name] = float(low), float(high)
    return found
