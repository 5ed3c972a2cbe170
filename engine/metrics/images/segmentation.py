"""Metrics of semantic segmentation: intersection over union, over all pixels of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engine.batches.source import Batch
from engine.data.masks import IGNORED
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.metrics.uncertainty.drawn_scores import Formula, SummedScore, ratio, summed_intervals
from engine.metrics.uncertainty.intervals import Floats
from engine.metrics.uncertainty.paired import ScoredRows
from engine.reports.views import Cell, Matrix, Table, View

_WORST = 50
_MATRIX_CLASSES = 30

Counts = NDArray[np.int64]


def pixel_loss(
    logits: Tensor, masks: Tensor, weights: Tensor | None = None, dice: float = 0.0
) -> Tensor:
    """Mean cross-entropy over the pixels that are not ignored, plus ``dice`` times the Dice loss.

    Logits are ``[batch, classes, height, width]``, masks ``[batch, height, width]`` class numbers.
    """
    targets = masks.long()
    known = targets != IGNORED
    losses = F.cross_entropy(logits, targets, weights, ignore_index=IGNORED, reduction="none")
    loss = losses.sum() / known.sum().clamp(min=1)
    return loss + dice * dice_loss(logits, targets) if dice else loss


def known_share(mask: NDArray[Any]) -> float:
    """Return the share of a mask's pixels that are not ignored: its terms in the pixel loss."""
    return float((mask != IGNORED).mean())


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """One minus the soft Dice coefficient, the mean over classes (Milletari et al. 2016).

    Sums run over the pixels of the batch that are not ignored.
    """
    known = (targets != IGNORED)[:, None]
    chances = logits.float().softmax(1) * known
    truth = F.one_hot(targets.clamp(max=logits.shape[1]) * known[:, 0], logits.shape[1])
    truth = truth.permute(0, 3, 1, 2) * known
    together = (chances * truth).sum((0, 2, 3))
    apart = (chances + truth).sum((0, 2, 3))
    return 1 - ((2 * together + 1) / (apart + 1)).mean()


@dataclass(frozen=True)
class ClassOverlap:
    """Measures of a confusion matrix ``[truth, prediction]`` of pixels, one a class.

    NaN for classes that are neither there nor predicted.
    """

    counts: Counts

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union."""
        return _share(self._hits, self._truth + self._predicted - self._hits)

    @property
    def dice(self) -> NDArray[np.float64]:
        """Twice the intersection over the sum of both."""
        return _share(2 * self._hits, self._truth + self._predicted)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the class's pixels that were found."""
        return _share(self._hits, self._truth)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the pixels taken for the class that are of it."""
        return _share(self._hits, self._predicted)

    @property
    def _hits(self) -> Counts:
        return np.diagonal(self.counts)

    @property
    def _truth(self) -> Counts:
        return self.counts @ np.ones(len(self.counts), np.int64)

    @property
    def _predicted(self) -> Counts:
        return np.ones(len(self.counts), np.int64) @ self.counts


def _share(part: Counts, whole: Counts) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def mean_of(values: NDArray[np.float64]) -> float:
    """Return the mean of the values that are known; NaN where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def pixel_counts(predicted: Tensor, masks: Tensor, classes: int) -> Tensor:
    """``[batch, classes, classes]`` pixels of each image by truth and prediction."""
    size = classes * classes
    known = (masks != IGNORED).flatten(1)
    pairs = masks.long().flatten(1) * classes + predicted.flatten(1)
    pairs = torch.where(known, pairs, size)
    counts = torch.zeros(len(masks), size + 1, dtype=torch.int64, device=masks.device)
    counts.scatter_add_(1, pairs, torch.ones_like(pairs))
    return counts[:, :-1].reshape(-1, classes, classes)


@dataclass(frozen=True)
class WorstImage:
    """An image of an evaluation that was segmented badly."""

    name: str
    row: int
    """Its number in the source."""
    iou: float
    """The mean over the classes."""
    worst_class: str


class SegmentationEvaluator(Evaluator):
    """The confusion matrix of the pixels of each image."""

    def __init__(
        self,
        classes: Sequence[str],
        forward: Callable[[nn.Module, Batch], tuple[Tensor, Tensor]],
    ) -> None:
        """``forward`` gives logits and loss of a batch."""
        self._classes = list(classes)
        self._forward = forward
        self._counts = Gathered()
        self._losses = Gathered()
        self._names: list[str] = []
        self._rows: list[int] = []
        self.worst: list[WorstImage] = []
        """The images with the lowest mean IoU, once views were computed."""

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self._rows)

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        logits, loss = self._forward(network, batch)
        counts = pixel_counts(logits.argmax(1), batch.targets, len(self._classes))
        self._counts.add(counts)
        self._losses.add((loss.float() * counts.sum())[None])
        self._names += batch.rows["name"].to_pylist()
        self._rows += batch.rows["row"].to_pylist()

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics over all pixels together; per class and the worst images among the views."""
        counts: Counts = self._counts.joined().numpy()
        loss = float(self._losses.joined().double().sum()) / max(1, int(counts.sum()))
        result = evaluate_pixels(counts, self._classes, loss, views)
        if not views:
            return result
        self.worst = self._worst(counts)
        rows: list[list[Cell]] = [[one.name, _cell(one.iou), one.worst_class] for one in self.worst]
        table = Table("Worst images", ["image", "mean IoU", "worst class"], rows)
        return replace(result, views=[*result.views, table])

    def _worst(self, counts: Counts) -> list[WorstImage]:
        found = np.array([mean_of(ClassOverlap(own).iou) for own in counts])
        order = np.argsort(np.nan_to_num(found, nan=1.0), kind="stable")[:_WORST]
        return [
            WorstImage(self._names[place], self._rows[place], float(found[place]),
                       _worst_class(counts[place], self._classes))
            for place in order
        ]  # fmt: skip


def _worst_class(counts: Counts, classes: Sequence[str]) -> str:
    iou = ClassOverlap(counts).iou
    return "" if np.isnan(iou).all() else classes[int(np.nanargmin(iou))]


def evaluate_pixels(
    counts: Counts, classes: Sequence[str], loss: float, views: bool = False
) -> Evaluation:
    """Metrics of ``[images, classes, classes]`` pixels by truth and prediction."""
    whole = ClassOverlap(counts.sum(0))
    total = int(whole.counts.sum())
    metrics = {
        "miou": mean_of(whole.iou),
        "loss": loss,
        "pixel_accuracy": int(np.trace(whole.counts)) / total if total else float("nan"),
        "dice": mean_of(whole.dice),
    }
    parts = _sums(counts)
    rows = ScoredRows("mean IoU", parts[:, : len(classes)], SummedScore(parts, _mean_iou))
    if not views:
        return Evaluation(metrics, rows=rows)
    intervals = summed_intervals(parts, _FORMULAS)
    return Evaluation(metrics, _views(whole, classes), intervals=intervals, rows=rows)


def _sums(counts: Counts) -> Floats:
    """Return the pixels of each image by class: true, predicted, both; then all right, and all."""
    both = np.diagonal(counts, axis1=1, axis2=2)
    parts = [counts.sum(2), counts.sum(1), both, both.sum(1, keepdims=True)]
    return np.concatenate([*parts, counts.sum((1, 2))[:, None]], 1).astype(np.float64)


def _mean_iou(means: Floats) -> Floats:
    true, predicted, both = np.split(means[:, :-2], 3, axis=1)
    return _class_mean(both, true + predicted - both)


def _mean_dice(means: Floats) -> Floats:
    true, predicted, both = np.split(means[:, :-2], 3, axis=1)
    return _class_mean(2 * both, true + predicted)


def _class_mean(part: Floats, whole: Floats) -> Floats:
    """Return the mean over the classes that are there or predicted, ``[draws]``."""
    known = whole > 0
    shares = np.divide(part, whole, out=np.zeros_like(part), where=known)
    return np.asarray(shares.sum(1) / known.sum(1))


_FORMULAS: dict[str, Formula] = {
    "miou": _mean_iou, "dice": _mean_dice, "pixel_accuracy": ratio(-2, -1),
}  # fmt: skip


def _views(whole: ClassOverlap, classes: Sequence[str]) -> list[View]:
    parts = (whole.iou, whole.dice, whole.precision, whole.recall)
    rows: list[list[Cell]] = [
        [name, *(_cell(part[place]) for part in parts), int(whole.counts[place].sum())]
        for place, name in enumerate(classes)
    ]
    table = Table("Classes", ["class", "IoU", "Dice", "precision", "recall", "pixels"], rows)
    if len(classes) > _MATRIX_CLASSES:
        return [table]
    return [Matrix("Confusion matrix of pixels", list(classes), whole.counts.tolist()), table]


def _cell(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
