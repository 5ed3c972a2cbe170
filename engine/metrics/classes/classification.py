"""Metrics of tasks with one class a sample, and the loss that goes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engine.batches.source import Batch
from engine.metrics.classes.calibration import reliability
from engine.metrics.classes.threshold import Threshold, threshold_table
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.metrics.uncertainty.intervals import (
    Interval,
    area_interval,
    class_intervals,
    mean_interval,
    share_interval,
)
from engine.metrics.uncertainty.paired import PairedRows
from engine.processes.later import Later
from engine.reports.views import Cell, Matrix, Table, View

sk = Later("sklearn.metrics")

_AT_ONCE = 1 << 18
_MATRIX_CLASSES = 30
"""Largest confusion matrix that a terminal can show, in classes."""


def class_loss(
    logits: Tensor, targets: Tensor, weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Mean cross-entropy over ``[batch, classes]`` logits and ``[batch]`` int64 targets.

    Targets may also be shares of the classes, ``[batch, classes]``.

    ``weights`` have mean 1 over the training rows, so the mean is over rows and not over weights:
    batches that are accumulated give the same sum as one large batch.
    """
    if weights is None:
        return F.cross_entropy(logits, targets, label_smoothing=smoothing)
    rows = weights[targets] if targets.ndim == 1 else (weights * targets).sum(1)
    if targets.ndim == 2:  # the loss of a row is the sum of those of its classes
        targets = weights * targets / rows[:, None]
    losses = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    return (losses * rows).mean()


def balanced_weights(counts: Sequence[int]) -> list[float]:
    """A weight for each class so that all count alike and the mean over the rows is 1."""
    present = sum(1 for count in counts if count)
    rows = sum(counts)
    return [rows / (present * count) if count else 0.0 for count in counts]


class ClassificationEvaluator(Evaluator):
    """One class a sample."""

    def __init__(
        self,
        names: Sequence[str],
        forward: Callable[[nn.Module, Batch], Tensor],
        top: int = 0,
        temperature: float = 1.0,
        threshold: Threshold | None = None,
    ) -> None:
        """``forward`` gives the logits, which are divided by ``temperature``; ``top`` asks for
        top-k accuracy when it is above 1. A ``threshold`` decides in place of the likeliest class.
        """
        self._temperature, self._threshold = temperature, threshold
        self._names = list(names)
        self._forward = forward
        self._top = top
        self._logits = Gathered()
        self._targets = Gathered()

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        self.see(network, batch)

    def see(self, network: nn.Module, batch: Batch) -> Tensor:
        """Take in a batch like :meth:`update`; returns its logits."""
        logits = self._forward(network, batch).float() / self._temperature
        self._logits.add(logits)
        self._targets.add(batch.targets)
        return logits

    def outcome(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Probabilities ``[rows, classes]`` and class numbers of all samples so far."""
        probabilities = self._logits.joined().softmax(1)
        return probabilities.numpy(), self._targets.joined().numpy()

    def compute(self, views: bool = False) -> Evaluation:
        """All metrics by scikit-learn."""
        losses = F.cross_entropy(self._logits.joined(), self._targets.joined(), reduction="none")
        loss, outcome, threshold = float(losses.mean()), self.outcome(), self._threshold
        predicted = None if threshold is None else threshold.decisions(outcome[0])
        evaluation = evaluate_classes(*outcome, self._names, loss, self._top, views, predicted)
        if not views:
            return evaluation
        found = intervals_of_classes(*outcome, evaluation.metrics, predicted)
        found |= mean_interval("loss", losses.double().numpy())
        tables = [reliability(*outcome, self._temperature)]
        if threshold is not None:
            tables.insert(0, threshold_table(*outcome, self._names, threshold))
        return replace(evaluation, views=[*evaluation.views, *tables], intervals=found)


def evaluate_classes(
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    names: Sequence[str],
    loss: float,
    top: int = 0,
    views: bool = False,
    predicted: NDArray[np.int64] | None = None,
) -> Evaluation:
    """Metrics of ``[rows, classes]`` probabilities against ``[rows]`` class numbers.

    ``predicted`` has the class of each row where it is not the likeliest one.
    """
    likeliest = probabilities.argmax(1)
    # A threshold for a precision or a cost lowers accuracy, which must not decide on a baseline.
    metric = "accuracy" if predicted is None else "accuracy without the threshold"
    wrong = (likeliest != targets).astype(np.float64)
    predicted = likeliest if predicted is None else predicted
    labels = list(range(len(names)))
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        targets, predicted, labels=labels, zero_division=0
    )
    present = support > 0
    metrics = {
        "accuracy": float((predicted == targets).mean()),
        "loss": loss,
        "f1": float(f1[present].mean()),
        "precision": float(precision[present].mean()),
        "recall": float(recall[present].mean()),
        "roc_auc": _roc_auc(probabilities, targets),
    }
    if 1 < top < len(names):
        metrics[f"top{top}"] = float(
            sk.top_k_accuracy_score(targets, probabilities, k=top, labels=labels)
        )
    shown: list[View] = []
    if views:
        shown = _views(names, targets, predicted, (precision, recall, f1, support))
    return Evaluation(metrics, shown, rows=PairedRows("wrong", targets, wrong, metric))


def intervals_of_classes(
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    metrics: Mapping[str, float],
    predicted: NDArray[np.int64] | None = None,
) -> dict[str, Interval]:
    """Return intervals of all ``metrics`` but the loss."""
    predicted = probabilities.argmax(1) if predicted is None else predicted
    found = class_intervals(targets, predicted, probabilities.shape[1])
    area = area_interval(probabilities, targets, metrics["roc_auc"])
    if area is not None:
        found["roc_auc"] = area
    shares = {name: value for name, value in metrics.items() if name.startswith("top")}
    return found | {name: share_interval(value, len(targets)) for name, value in shares.items()}


def _roc_auc(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Area under the curve, one against the rest averaged; NaN where a class has no sample."""
    classes = probabilities.shape[1]
    if len(np.unique(targets)) != classes:
        return float("nan")
    if classes == 2:
        return _area(probabilities[:, 1], targets == 1)
    return float(np.mean([_area(probabilities[:, i], targets == i) for i in range(classes)]))


def _area(scores: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve, in a tenth of the memory that scikit-learn takes.

    This is the share of pairs in which the positive sample has the higher score; ties count half.
    """
    if np.isnan(scores).any():
        return float("nan")
    others, below = np.sort(scores[~positive]), 0
    for part in np.array_split(scores[positive], 1 + positive.sum() // _AT_ONCE):
        below += int(np.searchsorted(others, part, "left").sum())
        below += int(np.searchsorted(others, part, "right").sum())
    return below / (2 * len(others) * int(positive.sum()))


def _views(
    names: Sequence[str],
    targets: NDArray[np.int64],
    predicted: NDArray[np.int64],
    by_class: tuple[NDArray[np.float64], ...],
) -> list[View]:
    matrix = sk.confusion_matrix(targets, predicted, labels=range(len(names)))
    rows: list[list[Cell]] = [
        [name, *(round(float(part[i]), 4) for part in by_class[:3]), int(by_class[3][i])]
        for i, name in enumerate(names)
    ]
    table = Table("Classes", ["class", "precision", "recall", "f1", "samples"], rows)
    if len(names) > _MATRIX_CLASSES:
        return [table]
    return [Matrix("Confusion matrix", list(names), matrix.tolist()), table]
