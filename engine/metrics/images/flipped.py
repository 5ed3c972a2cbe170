"""The effect of test-time flip: the metrics with it beside those of each image as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.classes.classification import ClassificationEvaluator
from engine.metrics.classes.multilabel import MultiLabelEvaluator
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.images.mistakes import ImageEvaluator
from engine.reports.views import Cell, Table

FLIP = "Test-time flip"
"""The title of the table, and what tells it among the views of a report."""
Sides = Callable[[nn.Module, Batch], tuple[Tensor, Tensor]]
"""Logits of the images of a batch and of their mirror images."""
_METRICS = ("accuracy", "f1", "loss")


class FlippedImages(Evaluator):
    """Metrics of the mean of both; those of the images alone are computed beside them."""

    def __init__(self, classes: Sequence[str], multi_label: bool, sides: Sides) -> None:
        self._sides = sides
        self._logits: tuple[Tensor, Tensor] | None = None
        self.both = ImageEvaluator(classes, multi_label, lambda *_: self._mean())
        kind = MultiLabelEvaluator if multi_label else ClassificationEvaluator
        self._alone = kind(classes, lambda *_: self._own())

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        self._logits = self._sides(network, batch)
        self.both.update(network, batch)
        self._alone.update(network, batch)
        self._logits = None

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics with test-time flip; a table of both among the views."""
        result = self.both.compute(views)
        if not views:
            return result
        rows: list[list[Cell]] = [
            [name, *(round(metrics[metric], 4) for metric in _METRICS)]
            for name, metrics in (
                ("image and mirror image", result.metrics),
                ("image as it is", self._alone.compute().metrics),
            )
        ]
        table = Table(FLIP, ["network sees", *_METRICS], rows)
        return replace(result, views=[*result.views, table])

    def _mean(self) -> Tensor:
        assert self._logits is not None
        own, other = self._logits
        return (own + other) / 2

    def _own(self) -> Tensor:
        assert self._logits is not None
        return self._logits[0]
