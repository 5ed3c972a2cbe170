"""Gradient boosting beside the network of a table: as its baseline, and in its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.baselines.gradient_boosting import (
    NAME,
    Boosted,
    boosted_classes,
    boosted_numbers,
    classes_of_trees,
    log_loss,
    numbers_of_trees,
)
from engine.batches.source import Source
from engine.metrics.classes.classification import evaluate_classes
from engine.metrics.classes.threshold import Threshold
from engine.metrics.evaluator import Evaluation
from engine.metrics.tables.regression import evaluate_numbers
from engine.models.tables.boosted_trees import BoostedTrees
from engine.pipelines.tables.fitted import TabularFitted
from engine.pipelines.tabular_classification import ClassesFitted
from engine.pipelines.tabular_regression import NumbersFitted
from engine.tasks.row_bands import with_bands

F = TypeVar("F", bound=TabularFitted)


@dataclass(frozen=True)
class Boosting(ABC, Generic[F]):
    """Gradient boosting on the columns and the target of a network."""

    fitted: F

    def baseline(self, train: Source, held_out: Source) -> Baseline:
        """Fit on the training rows, and evaluate the rows that were held out."""
        found = self._boosted(train, held_out)
        return Baseline(NAME, self.evaluate(found.predicted, found.truth), trees=found.trees)

    def evaluate_trees(self, trees: BoostedTrees, source: Source) -> Evaluation:
        """Evaluate fitted trees as :meth:`baseline` does."""
        found = self._of_trees(trees, source)
        return self.evaluate(found.predicted, found.truth)

    @abstractmethod
    def evaluate(self, predicted: NDArray[Any], truth: NDArray[Any]) -> Evaluation:
        """Evaluate predictions of a baseline as :class:`Boosted` has them."""

    def fitted_to(self, trees: BoostedTrees, validation: Source | None) -> F:
        """Return the state with which the trees predict in place of the network."""
        del trees, validation
        return self.fitted.without_network()

    @abstractmethod
    def _boosted(self, train: Source, held_out: Source) -> Boosted: ...

    @abstractmethod
    def _of_trees(self, trees: BoostedTrees, source: Source) -> Boosted: ...


@dataclass(frozen=True)
class ClassBoosting(Boosting[ClassesFitted]):
    """Classes, decided by the threshold of the network."""

    threshold: Threshold | None

    @override
    def evaluate(self, predicted: NDArray[np.float32], truth: NDArray[np.int64]) -> Evaluation:
        loss, threshold = log_loss(predicted, truth), self.threshold
        decided = None if threshold is None else threshold.decisions(predicted)
        return evaluate_classes(predicted, truth, self.fitted.classes, loss, predicted=decided)

    @override
    def _boosted(self, train: Source, held_out: Source) -> Boosted:
        return boosted_classes(train, held_out, self.fitted.features, len(self.fitted.classes))

    @override
    def _of_trees(self, trees: BoostedTrees, source: Source) -> Boosted:
        return classes_of_trees(trees, source)


@dataclass(frozen=True)
class NumberBoosting(Boosting[NumbersFitted]):
    """Numbers, with bands where validation rows tell them."""

    quantiles: tuple[float, ...]
    outputs: int
    """Outputs of the network for a row, for its loss."""
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

    @override
    def evaluate(self, predicted: NDArray[Any], truth: NDArray[Any]) -> Evaluation:
        outputs = torch.from_numpy(predicted)[:, None].expand(-1, self.outputs)
        loss = float(self.loss(outputs, torch.from_numpy(truth).double()))
        fitted = self.fitted
        # In float32, numbers that are large beside their deviation would be rounded away.
        guess, true = (
            part.astype(np.float64) * fitted.std + fitted.mean for part in (predicted, truth)
        )
        return evaluate_numbers(guess, true, loss)

    @override
    def fitted_to(self, trees: BoostedTrees, validation: Source | None) -> NumbersFitted:
        fitted = self.fitted.without_network()
        if validation is None:
            return fitted
        found = numbers_of_trees(trees, validation)
        outputs, targets = (
            torch.from_numpy(part).float() for part in (found.predicted, found.truth)
        )
        return with_bands(fitted, self.quantiles, outputs[:, None], targets)

    @override
    def _boosted(self, train: Source, held_out: Source) -> Boosted:
        return boosted_numbers(train, held_out, self.fitted.features)

    @override
    def _of_trees(self, trees: BoostedTrees, source: Source) -> Boosted:
        return numbers_of_trees(trees, source)
