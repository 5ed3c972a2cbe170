"""Regression on table rows: one number a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import override

from engine.baselines.gradient_boosting import NAME, boosted_numbers
from engine.batches.source import Batch
from engine.config.tasks.tabular_regression import TabularRegressionConfig
from engine.data.raw import RawData
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.importance import Score, number_scores
from engine.metrics.regression import LOSSES, RegressionEvaluator, evaluate_numbers
from engine.pipelines.tabular_regression import NumbersFitted, TabularRegressionPipeline
from engine.tasks.tabular import TabularTask, each_output


class TabularRegression(TabularTask[NumbersFitted]):
    """The network gives one number, in standard deviations from the mean."""

    pipeline: TabularRegressionPipeline
    section: TabularRegressionConfig

    def outputs(self, fitted: NumbersFitted) -> int:
        """One number."""
        del fitted
        return 1

    def encode_target(self, values: pa.ChunkedArray, fitted: NumbersFitted) -> NDArray[np.float32]:
        """Standardised numbers."""
        scaled = (np.asarray(values.fill_null(np.nan)) - fitted.mean) / fitted.std
        return scaled.astype(np.float32)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Of the standardised numbers."""
        predicted = _numbers(network, batch)
        return self._loss(predicted, each_output(batch.targets, predicted))

    def _loss(self, predicted: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return LOSSES[self.section.loss](predicted, targets)

    def target_evaluator(self, fitted: NumbersFitted) -> Evaluator:
        """Errors in the target's units."""
        return RegressionEvaluator(
            fitted.mean, fitted.std, _numbers, self._loss,
            lambda batch, row: self.describe(batch, row, fitted),
        )  # fmt: skip

    def score(self, fitted: NumbersFitted) -> Score:
        """Root of the mean squared error and R²."""
        return number_scores(fitted.std)

    def predict(
        self, network: nn.Module, batch: Batch, fitted: NumbersFitted
    ) -> list[dict[str, Any]]:
        """The number."""
        return [{"value": value} for value in _in_units(network, batch, fitted).tolist()]

    @override
    def explained(self, network: nn.Module, batch: Batch, fitted: NumbersFitted) -> torch.Tensor:
        return _in_units(network, batch, fitted)[:, None]

    @override
    def explained_names(self, fitted: NumbersFitted) -> list[str]:
        return [fitted.target]

    @override
    def predicted_columns(
        self, network: nn.Module, batch: Batch, fitted: NumbersFitted
    ) -> dict[str, pa.Array]:
        return {"value": pa.array(_in_units(network, batch, fitted).cpu().numpy())}

    def baseline(self, raw: RawData, fitted: NumbersFitted) -> tuple[str, Evaluation] | None:
        """Gradient boosting."""
        sources = self.held_out(raw, fitted)
        if sources is None:
            return None
        predicted, truth = boosted_numbers(*sources, fitted.features)
        loss = float(self._loss(torch.from_numpy(predicted), torch.from_numpy(truth).double()))
        guess, true = (part * fitted.std + fitted.mean for part in (predicted, truth))
        return NAME, evaluate_numbers(guess, true, loss)


def _in_units(network: nn.Module, batch: Batch, fitted: NumbersFitted) -> torch.Tensor:
    """Return the predictions in the units of the target, float64."""
    return _numbers(network, batch).double() * fitted.std + fitted.mean


def _numbers(network: nn.Module, batch: Batch) -> torch.Tensor:
    """The network's output ``[batch, 1]`` as ``[batch]``."""
    values: torch.Tensor = network(batch.inputs)
    return values.squeeze(1)
