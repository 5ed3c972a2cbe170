"""Regression on table rows: one number a row."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.batches.source import Batch
from engine.config.tasks.tabular_regression import TabularRegressionConfig
from engine.data.raw import RawData
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.outputs_fit import OutputsFit
from engine.metrics.tables.importance import Score, number_scores
from engine.metrics.tables.regression import (
    RegressionEvaluator,
    evaluate_numbers,
    number_intervals,
    number_loss,
    number_losses,
)
from engine.metrics.uncertainty.intervals import share_interval
from engine.pipelines.tabular_regression import NumbersFitted, TabularRegressionPipeline
from engine.tasks.boosting import NumberBoosting
from engine.tasks.calibration import Calibration
from engine.tasks.explanations.row import ExplainedOutputs
from engine.tasks.member_pruning import MemberLosses
from engine.tasks.row_bands import bands_of, with_bands
from engine.tasks.row_samples import number_sample
from engine.tasks.row_text import row_text
from engine.tasks.tabicl import tabicl_of
from engine.tasks.tabular import TabularTask, each_output


class TabularRegression(TabularTask[NumbersFitted]):
    """The network gives one number, in standard deviations from the mean, or its quantiles."""

    pipeline: TabularRegressionPipeline
    section: TabularRegressionConfig
    sample_of = staticmethod(number_sample)

    def outputs(self, fitted: NumbersFitted) -> int:
        """One number, or one for each quantile."""
        del fitted
        return len(self.section.quantiles) if self.section.loss == "quantile" else 1

    def encode_target(self, values: pa.ChunkedArray, fitted: NumbersFitted) -> NDArray[np.float32]:
        """Standardised numbers."""
        scaled = (np.asarray(values.fill_null(np.nan)) - fitted.mean) / fitted.std
        return scaled.astype(np.float32)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Of the standardised numbers."""
        outputs = _outputs(network, batch)
        return self._loss(outputs, each_output(batch.targets, outputs))

    def _loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return number_loss(outputs, targets, self.section.loss, self.section.quantiles)

    def target_evaluator(self, fitted: NumbersFitted) -> Evaluator:
        """Errors in the target's units, and the coverage of the bands."""
        return RegressionEvaluator(
            fitted.mean, fitted.std, _outputs, self._loss,
            partial(row_text, fitted.features), bands_of(fitted, self.section.quantiles),
        )  # fmt: skip

    def member_losses(self, fitted: NumbersFitted) -> MemberLosses:
        """The loss of the standardised numbers, or of their quantiles."""
        del fitted
        loss = partial(number_losses, loss=self.section.loss, levels=self.section.quantiles)
        return MemberLosses(lambda outputs, targets: outputs, loss)

    @override
    def calibration(self, fitted: NumbersFitted) -> Calibration[NumbersFitted]:
        """Fit bands on the validation rows."""

        return Calibration(
            lambda: OutputsFit(_outputs, partial(with_bands, fitted, self.section.quantiles))
        )

    def score(self, fitted: NumbersFitted) -> Score:
        """Root of the mean squared error and R²."""
        score, bands = number_scores(fitted.std), bands_of(fitted, self.section.quantiles)
        return lambda outputs, targets: score(bands.point(outputs)[:, None], targets)

    def predict(
        self, network: nn.Module, batch: Batch, fitted: NumbersFitted
    ) -> list[dict[str, Any]]:
        """The number and its quantiles, named by their levels."""
        values = self._named_values(_outputs(network, batch), fitted)
        rows = zip(*(part.tolist() for part in values.values()), strict=True)
        return [dict(zip(values, row, strict=True)) for row in rows]

    @override
    def explained(self, fitted: NumbersFitted) -> ExplainedOutputs:
        def value(network: nn.Module, batch: Batch) -> torch.Tensor:
            return self._named_values(_outputs(network, batch), fitted)["value"][:, None]

        return ExplainedOutputs([fitted.target], "value", value)

    @override
    def predicted_columns(
        self, outputs: torch.Tensor, fitted: NumbersFitted
    ) -> dict[str, pa.Array]:
        values = self._named_values(outputs, fitted)
        return {name: pa.array(part.numpy()) for name, part in values.items()}

    def _named_values(
        self, outputs: torch.Tensor, fitted: NumbersFitted
    ) -> dict[str, torch.Tensor]:
        """Return the number and its quantiles, in the units of the target, by name."""
        bands, outputs = bands_of(fitted, self.section.quantiles), outputs.detach().float().cpu()
        values = {"value": bands.point(outputs)}
        quantiles = bands.quantiles(outputs)
        for place, level in enumerate(bands.levels):
            if quantiles is not None and level != 0.5:
                values[f"value {level:g}"] = quantiles[:, place]
        return {name: part.double() * fitted.std + fitted.mean for name, part in values.items()}

    @override
    def baselines(self, raw: RawData, fitted: NumbersFitted) -> list[Baseline]:
        """Gradient boosting, and where it is asked for TabICL."""
        sources = self.held_out(raw, fitted)
        if sources is None:
            return []

        boosting = self.boosting(fitted)
        other = tabicl_of(self.section, self.config.compute)
        more = [] if other is None else [other.numbers(*sources, boosting.evaluate)]
        return [boosting.baseline(*sources), *more]

    @override
    def boosting(self, fitted: NumbersFitted) -> NumberBoosting:
        return NumberBoosting(fitted, self.section.quantiles, self.outputs(fitted), self._loss)

    @override
    def pooled(self, predicted: pa.Table, truth: pa.ChunkedArray) -> Evaluation:
        true, said = np.asarray(truth, np.float64), predicted["value"].to_numpy()
        found = evaluate_numbers(said, true, 0.0)
        del found.metrics["loss"]  # each fold's is in its own units
        intervals = number_intervals(said, true)
        ends = [f"value {level:g}" for level in self.section.quantiles if level != 0.5]
        if len(ends) > 1 and {ends[0], ends[-1]} <= set(predicted.column_names):
            low, high = (predicted[name].to_numpy() for name in (ends[0], ends[-1]))
            share = float(((low <= true) & (true <= high)).mean())
            found.metrics["coverage"] = share
            intervals["coverage"] = share_interval(share, len(true))
        return replace(found, intervals=intervals)


def _outputs(network: nn.Module, batch: Batch) -> torch.Tensor:
    """The network's output ``[batch, values]``."""
    values: torch.Tensor = network(batch.inputs)
    return values
