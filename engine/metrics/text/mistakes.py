"""Metrics of classes with the texts that were taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.classes.classification import ClassificationEvaluator
from engine.metrics.classes.multilabel import MultiLabelEvaluator
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.logits import logits_of
from engine.metrics.mistakes import Mistake, find_mistakes
from engine.metrics.uncertainty.paired import text_keys
from engine.reports.views import Texts

_WORST = 20
_PARTS = 64
"""Batches that are kept before all of their texts but the worst are let go."""


@dataclass(frozen=True, slots=True)
class WrongText:
    """A mistake with the row that it was made on."""

    mistake: Mistake
    text: str
    """The text, or both of a pair."""
    row: Mapping[str, Any]
    """The sample as it was read, by column."""

    def record(self) -> dict[str, str]:
        """Return the mistake in words, by caption."""
        return {
            "text": self.text, "label": self.mistake.label, "predicted": self.mistake.predicted,
            "probability": self.mistake.text,
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
        self.mistakes = 0
        """Texts of which the prediction is wrong, so far."""
        self.worst: list[WrongText] = []
        """The worst of them."""

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
        mistakes = Texts("Worst mistakes", [one.record() for one in self.worst])
        return replace(result, views=[mistakes, *result.views])

    def _look(self) -> None:
        """Keep the worst of what was wrong so far, and let go of the rest."""
        if not self._new:
            return
        logits = torch.cat([logits for logits, _ in self._new]).cpu()
        targets = torch.cat([batch.targets for _, batch in self._new]).cpu().numpy()
        said = (logits.softmax(1) if targets.ndim == 1 else logits.sigmoid()).numpy()
        mistakes, count = find_mistakes(said, targets, self._names, _WORST)
        self.mistakes += count
        places = pa.array([mistake.row for mistake in mistakes], pa.int64())
        rows = pa.concat_tables([batch.rows for _, batch in self._new]).take(places)
        found = map(WrongText, mistakes, self._text_of(rows), rows.to_pylist())
        self.worst = sorted([*self.worst, *found], key=lambda one: -one.mistake.wrongness)[:_WORST]
        self._new.clear()
