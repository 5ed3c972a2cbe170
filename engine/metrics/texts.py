"""Metrics of classes with the texts that were taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from torch import nn

from engine.metrics.classification import ClassificationEvaluator
from engine.metrics.multilabel import MultiLabelEvaluator
from engine.tasks.task import Evaluation, Evaluator
from engine.tasks.text import logits_of
from engine.training.batch import Batch
from engine.views import Texts

_WORST = 20


class LabelledTexts(Evaluator):
    """One class a text, or several; the rows are kept for the mistakes."""

    def __init__(
        self, names: Sequence[str], multi_label: bool, text_of: Callable[[pa.Table], list[str]]
    ) -> None:
        self._names = list(names)
        kind = MultiLabelEvaluator if multi_label else ClassificationEvaluator
        self._classes = kind(names, lambda network, batch: logits_of(network, batch.inputs))
        self._text_of = text_of
        self._rows: list[pa.Table] = []

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch with its rows."""
        self._classes.update(network, batch)
        self._rows.append(batch.rows)

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics; the worst mistakes come first among the views."""
        result = self._classes.compute(views)
        if not views:
            return result
        return Evaluation(result.metrics, [self._mistakes(), *result.views])

    def _mistakes(self) -> Texts:
        probabilities, targets = self._classes.outcome()
        truth = np.eye(len(self._names), dtype=bool)[targets] if targets.ndim == 1 else targets > 0
        predicted = (
            np.eye(len(self._names), dtype=bool)[probabilities.argmax(1)]
            if targets.ndim == 1
            else probabilities > 0.5
        )
        wrong = np.flatnonzero((truth != predicted).any(1))
        # How far the least expected of the true and false classes is from what was said of it.
        distance = np.abs(truth - probabilities).max(1)
        worst = wrong[np.argsort(-distance[wrong], kind="stable")][:_WORST]
        texts = self._text_of(pa.concat_tables(self._rows).take(pa.array(worst)))
        items = [
            {
                "text": text,
                "label": self._joined(truth[row]),
                "predicted": self._joined(predicted[row]),
                "certainty": f"{distance[row]:.0%}",
            }
            for row, text in zip(worst, texts, strict=True)
        ]
        return Texts("Worst mistakes", items)

    def _joined(self, flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
        return ", ".join(self._names[index] for index in np.flatnonzero(flags)) or "—"
