"""Metrics of classes with the images that were taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.classes.classification import ClassificationEvaluator
from engine.metrics.classes.multilabel import MultiLabelEvaluator
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.mistakes import Mistake, find_mistakes
from engine.metrics.uncertainty.paired import PairedRows, ScoredRows, text_keys
from engine.reports.views import Cell, Table

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
        self._several = multi_label
        self._metrics = (
            MultiLabelEvaluator(classes, forward)
            if multi_label
            else ClassificationEvaluator(classes, forward, top=5)
        )
        self._names: list[pa.Table] = []
        self.mistakes = 0
        """Images that were taken for something else, once views were computed."""
        self.worst: list[Mistake] = []
        """The worst of them."""
        self.worst_rows: list[int] = []
        """Their numbers in the source."""
        self.table: Table | None = None
        """The worst of them with the names of their images."""

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch with the names of its images."""
        self._metrics.update(network, batch)
        self._names.append(batch.rows)

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics; the worst mistakes come last among the views."""
        result = self._metrics.compute(views)
        if not views:
            return result
        self.table = self._mistakes()
        return replace(result, views=[*result.views, self.table], rows=self._named(result.rows))

    def _named(
        self, rows: PairedRows | ScoredRows[Any] | None
    ) -> PairedRows | ScoredRows[Any] | None:
        """Return the losses of the images, which are known by their names."""
        if rows is None:
            return None
        names = [name for part in self._names for name in part["name"].to_pylist()]
        return replace(rows, keys=text_keys(names))

    def _mistakes(self) -> Table:
        self.worst, self.mistakes = find_mistakes(*self._metrics.outcome(), self._classes, _WORST)
        places = pa.array([mistake.row for mistake in self.worst], pa.int64())
        seen = pa.concat_tables(self._names).take(places)
        names, self.worst_rows = seen["name"].to_pylist(), seen["row"].to_pylist()
        rows: list[list[Cell]] = [
            [name, one.label, one.predicted, *[one.judged] * self._several,
             round(one.probability, 4)]
            for name, one in zip(names, self.worst, strict=True)
        ]  # fmt: skip
        judged = ["most wrong"] * self._several
        return Table(
            "Worst mistakes", ["image", "class", "predicted", *judged, "probability"], rows
        )
