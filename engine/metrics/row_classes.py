"""Metrics of classes with the rows of a table that were taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import nn

from engine.metrics.classification import ClassificationEvaluator
from engine.tasks.task import Evaluation, Evaluator
from engine.training.batch import Batch
from engine.views import Table

_WORST = 10


class RowClasses(Evaluator):
    """One class a row; the batches are kept for the mistakes."""

    def __init__(self, names: Sequence[str], describe: Callable[[Batch, int], str]) -> None:
        """``describe`` says in words what row ``i`` of a batch was."""
        self._names = list(names)
        self._classes = ClassificationEvaluator(names, lambda net, batch: net(batch.inputs))
        self._describe = describe
        self._batches: list[Batch] = []

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        self._classes.update(network, batch)
        self._batches.append(batch)

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics; ``views`` asks for the worst mistakes too."""
        result = self._classes.compute(views)
        if not views:
            return result
        return Evaluation(result.metrics, [*result.views, self._mistakes()])

    def _mistakes(self) -> Table:
        """The wrong rows of whose class the network was the most certain."""
        probabilities, targets = self._classes.outcome()
        predicted = probabilities.argmax(1)
        certainty = probabilities.max(1)
        wrong = np.flatnonzero(predicted != targets)
        worst = wrong[np.argsort(-certainty[wrong], kind="stable")][:_WORST]
        places = [(batch, i) for batch in self._batches for i in range(len(batch.targets))]
        rows = [
            [self._names[targets[i]], self._names[predicted[i]], round(float(certainty[i]), 4),
             self._describe(*places[i])]
            for i in worst
        ]  # fmt: skip
        return Table("Worst mistakes", ["true", "predicted", "certainty", "inputs"], rows)
