"""Metrics of classes with the texts that were taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.classification import ClassificationEvaluator
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.logits import logits_of
from engine.metrics.multilabel import MultiLabelEvaluator
from engine.metrics.paired import text_keys
from engine.reports.views import Texts

_WORST = 20
_PARTS = 64
"""Batches that are kept before all of their texts but the worst are let go."""


@dataclass(frozen=True, slots=True)
class _Mistake:
    distance: float
    """Largest difference between a class's label (0 or 1) and its predicted probability."""
    text: str
    label: str
    predicted: str

    def record(self) -> dict[str, str]:
        return {
            "text": self.text, "label": self.label, "predicted": self.predicted,
            "certainty": f"{self.distance:.0%}",
        }  # fmt: skip


class LabelledTexts(Evaluator):
    """One class a text, or several; the worst mistakes are kept with their texts."""

    def __init__(
        self, names: Sequence[str], multi_label: bool, text_of: Callable[[pa.Table], list[str]]
    ) -> None:
        self._names = list(names)
        kind = MultiLabelEvaluator if multi_label else ClassificationEvaluator
        self._classes = kind(names, lambda network, batch: logits_of(network, batch.inputs))
        self._text_of = text_of
        self._new: list[tuple[Tensor, Batch]] = []
        self._keys: list[NDArray[np.uint64]] = []
        self._worst: list[_Mistake] = []

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch with its rows."""
        self._new.append((self._classes.see(network, batch), batch))
        self._keys.append(text_keys(self._text_of(batch.rows)))
        if len(self._new) >= _PARTS:
            self._look()

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics; the worst mistakes come first among the views."""
        result = self._classes.compute(views)
        if result.rows is not None:
            rows = replace(result.rows, keys=np.concatenate(self._keys))
            result = replace(result, rows=rows)
        if not views:
            return result
        self._look()
        mistakes = Texts("Worst mistakes", [mistake.record() for mistake in self._worst])
        return replace(result, views=[mistakes, *result.views])

    def _look(self) -> None:
        """Keep the worst of what was wrong so far, and let go of the rest."""
        if not self._new:
            return
        logits = torch.cat([logits for logits, _ in self._new]).cpu()
        targets = torch.cat([batch.targets for _, batch in self._new]).cpu().numpy()
        one = targets.ndim == 1
        said = (logits.softmax(1) if one else logits.sigmoid()).numpy()
        known = np.eye(len(self._names), dtype=bool)
        truth = known[targets] if one else targets > 0
        predicted = known[said.argmax(1)] if one else said > 0.5
        wrong = np.flatnonzero((truth != predicted).any(1))
        distance = np.abs(truth - said).max(1)
        worst = wrong[np.argsort(-distance[wrong], kind="stable")][:_WORST]
        rows = pa.concat_tables([batch.rows for _, batch in self._new]).take(pa.array(worst))
        found = [
            _Mistake(distance[row], text, self._joined(truth[row]), self._joined(predicted[row]))
            for row, text in zip(worst, self._text_of(rows), strict=True)
        ]
        self._worst = sorted([*self._worst, *found], key=lambda one: -one.distance)[:_WORST]
        self._new.clear()

    def _joined(self, flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
        return ", ".join(self._names[index] for index in np.flatnonzero(flags)) or "—"
