"""Metrics of classes with the rows of a table that were taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.classification import ClassificationEvaluator
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.threshold import Threshold
from engine.metrics.worst_rows import WorstRows
from engine.reports.views import Table

_WORST = 10


class RowClasses(Evaluator):
    """One class a row."""

    def __init__(
        self,
        names: Sequence[str],
        describe: Callable[[Batch, int], str],
        temperature: float = 1.0,
        threshold: Threshold | None = None,
    ) -> None:
        """``describe`` returns row ``i`` of a batch in words; ``temperature`` divides logits.

        A ``threshold`` decides in place of the likeliest class.
        """
        self._names = list(names)
        self._classes = ClassificationEvaluator(
            names, row_logits, temperature=temperature, threshold=threshold
        )
        self._describe, self._threshold = describe, threshold
        self._mistakes = WorstRows(_WORST, self._misled)

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        self._mistakes.add(self._classes.see(network, batch), batch)

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics; ``views`` asks for the worst mistakes too."""
        result = self._classes.compute(views)
        if not views:
            return result
        return replace(result, views=[*result.views, self._worst()])

    def _worst(self) -> Table:
        """The wrong rows of whose class the network was the most certain."""
        logits, batch = self._mistakes.worst()
        certainty, predicted = self._decided(logits)
        said = zip(batch.targets.tolist(), predicted.tolist(), certainty.tolist(), strict=True)
        rows = [
            [self._names[true], self._names[guess], round(sure, 4), self._describe(batch, row)]
            for row, (true, guess, sure) in enumerate(said)
        ]
        return Table("Worst mistakes", ["true", "predicted", "certainty", "inputs"], rows)

    def _misled(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the probability of the predicted class where it is wrong, −1 where it is right."""
        certainty, predicted = self._decided(logits)
        return torch.where(predicted == targets, -1.0, certainty)

    def _decided(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return class and its probability of each row."""
        probabilities = logits.softmax(1)
        if self._threshold is None:
            certainty, found = probabilities.max(1)
            return certainty, found
        found = self._threshold.decisions(probabilities)
        return probabilities.gather(1, found[:, None]).squeeze(1), found


def row_logits(network: nn.Module, batch: Batch) -> Tensor:
    """Return the network's logits ``[batch, classes]``."""
    logits: Tensor = network(batch.inputs)
    return logits
