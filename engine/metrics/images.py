"""Metrics of classes with the images that were taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.classification import ClassificationEvaluator
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.multilabel import MultiLabelEvaluator
from engine.reports.views import Table

_WORST = 50


class ImageEvaluator(Evaluator):
    """One class an image, or several; their names are kept for the mistakes."""

    def __init__(
        self,
        classes: Sequence[str],
        multi_label: bool,
        forward: Callable[[nn.Module, Batch], Tensor],
    ) -> None:
        """``forward`` gives the logits."""
        self._classes = list(classes)
        self._metrics = (
            MultiLabelEvaluator(classes, forward)
            if multi_label
            else ClassificationEvaluator(classes, forward, top=5)
        )
        self._names: list[pa.Table] = []
        self.mistakes = 0
        """Images that were taken for something else, once views were computed."""
        self.worst: Table | None = None
        """The worst of them."""
        self.worst_rows: list[int] = []
        """Their numbers in the source."""

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch with the names of its images."""
        self._metrics.update(network, batch)
        self._names.append(batch.rows)

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics; the worst mistakes come last among the views."""
        result = self._metrics.compute(views)
        if not views:
            return result
        self.worst = self._mistakes()
        return replace(result, views=[*result.views, self.worst])

    def _mistakes(self) -> Table:
        probabilities, targets = self._metrics.outcome()
        if targets.ndim == 1:
            truth = _flags(targets, len(self._classes))
            predicted = _flags(probabilities.argmax(1), len(self._classes))
        else:
            truth, predicted = targets > 0, probabilities > 0.5
        wrong = np.flatnonzero((truth != predicted).any(1))
        self.mistakes = len(wrong)
        # How sure the network was of what is most wrong.
        certainty = np.where(predicted, probabilities, 1 - probabilities)
        surest = np.where(truth != predicted, certainty, 0).max(1)
        worst = wrong[np.argsort(-surest[wrong], kind="stable")][:_WORST]
        seen = pa.concat_tables(self._names).take(pa.array(worst))
        names, self.worst_rows = seen["name"].to_pylist(), seen["row"].to_pylist()
        rows = [
            [
                name,
                self._joined(truth[row]),
                self._joined(predicted[row]),
                float(surest[row].round(4)),
            ]
            for name, row in zip(names, worst, strict=True)
        ]
        return Table("Worst mistakes", ["image", "class", "predicted", "certainty"], rows)

    def _joined(self, flags: NDArray[np.bool_]) -> str:
        return ", ".join(self._classes[index] for index in np.flatnonzero(flags)) or "—"


def _flags(numbers: NDArray[np.int64], classes: int) -> NDArray[np.bool_]:
    return np.eye(classes, dtype=bool)[numbers]
