"""Metrics of tasks where a sample can have several classes at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.metrics.uncertainty.intervals import (
    Floats,
    Interval,
    bootstrap,
    mean_interval,
    share_interval,
)
from engine.metrics.uncertainty.paired import PairedRows
from engine.processes.later import Later
from engine.reports.views import Cell, Table

sk = Later("sklearn.metrics")

_THRESHOLD = 0.5


class MultiLabelEvaluator(Evaluator):
    """Any number of classes a sample."""

    def __init__(self, names: Sequence[str], forward: Callable[[nn.Module, Batch], Tensor]) -> None:
        """``forward`` gives logits ``[batch, classes]``; targets are 0 or 1 in the same shape."""
        self._names = list(names)
        self._forward = forward
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
        """Probabilities and targets of all samples so far, ``[rows, classes]``."""
        targets = self._targets.joined().long()
        return self._logits.joined().sigmoid().numpy(), targets.numpy()

    def compute(self, views: bool = False) -> Evaluation:
        """All metrics by scikit-learn."""
        logits, targets = self._logits.joined(), self._targets.joined()
        losses = F.binary_cross_entropy_with_logits(
            logits, targets.to(logits), reduction="none"
        ).mean(1)
        outcome = self.outcome()
        result = evaluate_labels(*outcome, self._names, float(losses.mean()), views)
        if not views:
            return result
        found = label_intervals(*outcome) | mean_interval("loss", losses.double().numpy())
        return replace(result, intervals=found)


def evaluate_labels(
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    names: Sequence[str],
    loss: float,
    views: bool = False,
) -> Evaluation:
    """Metrics of ``[rows, classes]`` probabilities against zeros and ones.

    ``accuracy`` is the share of samples whose labels are all right. Means over classes leave out
    those that no sample has.
    """
    predicted = (probabilities > _THRESHOLD).astype(np.int64)
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        targets, predicted, average=None, zero_division=0
    )
    present = support > 0
    both = present & (support < len(targets))
    metrics = {
        "accuracy": float((predicted == targets).all(1).mean()),
        "loss": loss,
        "f1": float(f1[present].mean()) if present.any() else float("nan"),
        "precision": float(precision[present].mean()) if present.any() else float("nan"),
        "recall": float(recall[present].mean()) if present.any() else float("nan"),
        "f1_micro": float(sk.f1_score(targets, predicted, average="micro", zero_division=0)),
        "roc_auc": float(sk.roc_auc_score(targets[:, both], probabilities[:, both]))
        if both.any()
        else float("nan"),
    }
    rows: list[list[Cell]] = [
        [name, *(round(float(part[i]), 4) for part in (precision, recall, f1)), int(support[i])]
        for i, name in enumerate(names)
    ]
    table = Table("Classes", ["class", "precision", "recall", "f1", "samples"], rows)
    wrong = (predicted != targets).any(1).astype(np.float64)
    paired = PairedRows("wrong", targets, wrong, "samples whose labels are all right")
    return Evaluation(metrics, [table] if views else [], rows=paired)


def label_intervals(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64]
) -> dict[str, Interval]:
    """Return intervals of all metrics but the area under the ROC curve."""
    predicted, true, classes = probabilities > _THRESHOLD, targets > 0, targets.shape[1]
    parts = np.concatenate([predicted & true, predicted, true], 1).astype(np.float64)
    present = true.any(0)

    def mean_ratio(means: Floats, above: float, below: tuple[float, float]) -> Floats:
        right, said, there = (means[:, i * classes : (i + 1) * classes] for i in range(3))
        whole = below[0] * said + below[1] * there
        ratio = np.divide(above * right, whole, out=np.zeros_like(right), where=whole > 0)
        found: Floats = ratio[:, present].mean(1)
        return found

    def micro(means: Floats) -> Floats:
        right, said, there = (part.sum(1) for part in np.split(means, 3, 1))
        return np.asarray(2 * right / (said + there))

    exact = float((predicted == true).all(1).mean())
    found = bootstrap(list(parts.T), {
        "f1": lambda means: mean_ratio(means, 2, (1, 1)),
        "precision": lambda means: mean_ratio(means, 1, (1, 0)),
        "recall": lambda means: mean_ratio(means, 1, (0, 1)),
        "f1_micro": micro,
    })  # fmt: skip
    return found | {"accuracy": share_interval(exact, len(targets))}
