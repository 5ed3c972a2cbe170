"""Metrics of classes with the rows of a table that were taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.classes.classification import ClassificationEvaluator
from engine.metrics.classes.threshold import Threshold
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.tables.worst_rows import WorstRows, WrongRows
from engine.reports.views import Cell, Table

_WORST = 20


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
        self.worst: WrongRows | None = None
        """The worst mistakes, once views were computed."""

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        self._mistakes.add(self._classes.see(network, batch), batch)

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics; ``views`` asks for the worst mistakes too."""
        result = self._classes.compute(views)
        if not views:
            return result
        self.worst = self._worst()
        return replace(result, views=[*result.views, self.worst.table])

    def _worst(self) -> WrongRows:
        """The wrong rows whose class had the highest probabilities."""
        logits, batch, numbers = self._mistakes.worst()
        probabilities, predicted = self._decided(logits)
        said = zip(batch.targets.tolist(), predicted.tolist(), probabilities.tolist(), strict=True)
        rows: list[list[Cell]] = [
            [self._names[true], self._names[guess], round(share, 4), self._describe(batch, row)]
            for row, (true, guess, share) in enumerate(said)
        ]
        table = Table("Worst mistakes", ["true", "predicted", "probability", "inputs"], rows)
        guesses = [self._names[guess] for guess in predicted.tolist()]
        return WrongRows(table, numbers, self._mistakes.wrong, guesses)

    def _misled(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the probability of the predicted class where it is wrong, −1 where it is right."""
        probability, predicted = self._decided(logits)
        return torch.where(predicted == targets, -1.0, probability)

    def _decided(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return class and its probability of each row."""
        probabilities = logits.softmax(1)
        if self._threshold is None:
            highest, found = probabilities.max(1)
            return highest, found
        found = self._threshold.decisions(probabilities)
        return probabilities.gather(1, found[:, None]).squeeze(1), found


def row_logits(network: nn.Module, batch: Batch) -> Tensor:
    """Return the network's logits ``[batch, classes]``."""
    logits: Tensor = network(batch.inputs)
    return logits
