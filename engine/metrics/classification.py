"""Metrics of tasks with one class a sample, and the loss that goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engine.batches.source import Batch
from engine.metrics.class_scores import ClassScores, area_under_curve
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.reports.views import Cell, Matrix, Table, View

_MATRIX_CLASSES = 30
"""Largest confusion matrix that a terminal can show, in classes."""


def class_loss(
    logits: Tensor, targets: Tensor, weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Mean cross-entropy over ``[batch, classes]`` logits and ``[batch]`` int64 targets.

    ``weights`` have mean 1 over the training rows, so the mean is over rows and not over weights:
    batches that are accumulated give the same sum as one large batch.
    """
    if weights is None:
        return F.cross_entropy(logits, targets, label_smoothing=smoothing)
    losses = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    return (losses * weights[targets]).mean()


def balanced_weights(counts: Sequence[int]) -> list[float]:
    """A weight for each class so that all count alike and the mean over the rows is 1."""
    present = sum(1 for count in counts if count)
    rows = sum(counts)
    return [rows / (present * count) if count else 0.0 for count in counts]


class ClassificationEvaluator(Evaluator):
    """One class a sample."""

    def __init__(
        self, names: Sequence[str], forward: Callable[[nn.Module, Batch], Tensor], top: int = 0
    ) -> None:
        """``forward`` gives the logits; ``top`` asks for top-k accuracy when it is above 1."""
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
        logits = self._forward(network, batch).float()
        self._logits.add(logits)
        self._targets.add(batch.targets)
        return logits

    def outcome(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Probabilities ``[rows, classes]`` and class numbers of all samples so far."""
        probabilities = self._logits.joined().softmax(1)
        return probabilities.numpy(), self._targets.joined().numpy()

    def compute(self, views: bool = False) -> Evaluation:
        """Return all metrics."""
        loss = float(F.cross_entropy(self._logits.joined(), self._targets.joined()))
        return evaluate_classes(*self.outcome(), self._names, loss, self._top, views)


def evaluate_classes(
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    names: Sequence[str],
    loss: float,
    top: int = 0,
    views: bool = False,
) -> Evaluation:
    """Metrics of ``[rows, classes]`` probabilities against ``[rows]`` class numbers."""
    predicted = probabilities.argmax(1)
    scores = ClassScores.of_classes(targets, predicted, len(names))
    metrics = {
        "accuracy": float((predicted == targets).mean()),
        "loss": loss,
        **scores.means(),
        "roc_auc": _roc_auc(probabilities, targets),
    }
    if 1 < top < len(names):
        metrics[f"top{top}"] = _top_accuracy(probabilities, targets, top)
    shown = _views(names, targets, predicted, scores) if views else []
    return Evaluation(metrics, shown)


def _top_accuracy(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64], top: int
) -> float:
    """Share of samples whose class is among the ``top`` likeliest; of equals the later ones are."""
    likeliest = probabilities.argsort(1, kind="stable")[:, -top:]
    return float((likeliest == targets[:, None]).any(1).mean())


def _roc_auc(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Area under the curve, one against the rest averaged; NaN where a class has no sample."""
    classes = probabilities.shape[1]
    if len(np.unique(targets)) != classes:
        return float("nan")
    if classes == 2:
        return area_under_curve(probabilities[:, 1], targets == 1)
    areas = [area_under_curve(probabilities[:, i], targets == i) for i in range(classes)]
    return float(np.mean(areas))


def _views(
    names: Sequence[str],
    targets: NDArray[np.int64],
    predicted: NDArray[np.int64],
    scores: ClassScores,
) -> list[View]:
    table = class_table(names, scores)
    if len(names) > _MATRIX_CLASSES:
        return [table]
    return [_confusion(names, targets, predicted), table]


def _confusion(
    names: Sequence[str], targets: NDArray[np.int64], predicted: NDArray[np.int64]
) -> Matrix:
    """Samples of each class (rows) by the class that was predicted (columns)."""
    count = len(names)
    pairs = np.bincount(targets * count + predicted, minlength=count * count)
    return Matrix("Confusion matrix", list(names), pairs.reshape(count, count).tolist())


def class_table(names: Sequence[str], scores: ClassScores) -> Table:
    """Return the scores of each class."""
    parts = (scores.precision, scores.recall, scores.f1)
    rows: list[list[Cell]] = [
        [name, *(round(float(part[i]), 4) for part in parts), int(scores.support[i])]
        for i, name in enumerate(names)
    ]
    return Table("Classes", ["class", "precision", "recall", "f1", "samples"], rows)
