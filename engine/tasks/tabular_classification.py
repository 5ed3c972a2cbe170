"""Classification of table rows: one of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.baselines.gradient_boosting import log_loss
from engine.batches.device_constant import DeviceConstant
from engine.batches.source import Batch
from engine.config.tasks.tabular_classification import TabularClassificationConfig
from engine.data.raw import RawData
from engine.data.tables.categories import respelled
from engine.metrics.classes.calibration import fit_temperature
from engine.metrics.classes.classification import (
    balanced_weights,
    class_loss,
    evaluate_classes,
    intervals_of_classes,
)
from engine.metrics.classes.threshold import Threshold, choose_threshold, decisions
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.outputs_fit import OutputsFit
from engine.metrics.tables.classes import RowClasses, row_logits
from engine.metrics.tables.importance import Score, class_scores
from engine.pipelines.tabular_classification import ClassesFitted, TabularClassificationPipeline
from engine.tasks.boosting import ClassBoosting
from engine.tasks.calibration import Calibration
from engine.tasks.explanations.row import ExplainedOutputs
from engine.tasks.member_pruning import MemberLosses
from engine.tasks.row_samples import class_sample
from engine.tasks.row_text import row_text
from engine.tasks.tabicl import tabicl_of
from engine.tasks.tabular import TabularTask, each_output

_SHOWN = 5
_LEAST = 1e-12
"""Probabilities below this count as it."""
_SCORE = "score "
"""Prefix of the columns with the probability of each class."""


class TabularClassification(TabularTask[ClassesFitted]):
    """The network gives a logit for each class."""

    pipeline: TabularClassificationPipeline
    section: TabularClassificationConfig

    probabilities = True
    sample_of = staticmethod(class_sample)
    _balanced: DeviceConstant | None = None

    def outputs(self, fitted: ClassesFitted) -> int:
        """A logit for each class."""
        return len(fitted.classes)

    def encode_target(self, values: pa.ChunkedArray, fitted: ClassesFitted) -> NDArray[np.int64]:
        """Encode classes as numbers, −1 for an unknown one."""
        known = pa.array(fitted.classes, pa.string())
        codes = pc.index_in(respelled(values, fitted.classes), value_set=known).fill_null(-1)
        return np.array(codes, dtype=np.int64)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy."""
        section = self.section
        balanced = self._balanced
        weights = None if balanced is None else balanced.like(batch.targets, torch.float32)
        logits = network(batch.inputs)
        targets = each_output(batch.targets, logits)
        return class_loss(logits, targets, weights, section.label_smoothing)

    def build_network(self, fitted: ClassesFitted) -> nn.Module:
        """The chosen model for these columns; keeps the weight of each class in the loss."""
        balanced = self.section.class_weights == "balanced"
        self._balanced = DeviceConstant(balanced_weights(fitted.counts)) if balanced else None
        return super().build_network(fitted)

    def target_evaluator(self, fitted: ClassesFitted) -> Evaluator:
        """Metrics of classes, and the worst mistakes."""
        return RowClasses(
            fitted.classes,
            partial(row_text, fitted.features),
            fitted.temperature,
            self._threshold(fitted),
        )

    def member_losses(self, fitted: ClassesFitted) -> MemberLosses:
        """The negative logarithm of the probability of the target, weighted as in the loss."""
        del fitted

        def values(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            places = targets.expand(len(logits), -1).unsqueeze(-1)
            return logits.softmax(-1).gather(-1, places)

        def loss(probabilities: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            rows = -probabilities.squeeze(-1).clamp_min(_LEAST).log()
            weights = self._balanced
            return rows if weights is None else rows * weights.like(rows)[targets]

        return MemberLosses(values, loss)

    @override
    def calibration(self, fitted: ClassesFitted) -> Calibration[ClassesFitted]:
        """Fit the temperature on the validation rows, and choose the threshold."""

        def fit(logits: torch.Tensor, targets: torch.Tensor) -> ClassesFitted:
            found: dict[str, Any] = {"temperature": fit_temperature(logits, targets)}
            truth = targets.numpy() == fitted.positive
            if (rule := self.section.rule) is not None and truth.any():
                scores = (logits / found["temperature"]).softmax(1)[:, fitted.positive].numpy()
                found["threshold"], found["threshold_reached"] = choose_threshold(
                    scores, truth, rule
                )
            return fitted.model_copy(update=found)

        return Calibration(lambda: OutputsFit(row_logits, fit))

    def _threshold(self, fitted: ClassesFitted) -> Threshold | None:
        """Return the threshold that is set or was chosen."""
        rule = self.section.rule
        value = rule.value if rule and rule.aim == "value" else fitted.threshold
        if rule is None or value is None:
            return None
        return Threshold(fitted.positive, value, rule, fitted.threshold_reached)

    def score(self, fitted: ClassesFitted) -> Score:
        """Accuracy and loss."""
        del fitted
        return class_scores

    def predict(
        self, network: nn.Module, batch: Batch, fitted: ClassesFitted
    ) -> list[dict[str, Any]]:
        """The class, how sure the network is, and the likeliest five."""
        scores = _scores(network, batch, fitted).detach().cpu().numpy()
        said = decisions(scores, self._threshold(fitted)).tolist()
        rows = zip(scores.tolist(), said, strict=True)
        return [_record(row, label, fitted.classes) for row, label in rows]

    @override
    def explained(self, fitted: ClassesFitted) -> ExplainedOutputs:
        return ExplainedOutputs(fitted.classes, "p", partial(_scores, fitted=fitted))

    @override
    def predicted_columns(
        self, outputs: torch.Tensor, fitted: ClassesFitted
    ) -> dict[str, pa.Array]:
        scores = _scores_of(outputs, fitted).detach().cpu().double().numpy()
        best = decisions(scores, self._threshold(fitted))
        columns = {
            "label": pa.array(fitted.classes, pa.string()).take(pa.array(best)),
            "score": pa.array(scores[np.arange(len(best)), best]),
        }
        parts = zip(fitted.classes, scores.T.copy(), strict=True)
        return columns | {f"{_SCORE}{name}": pa.array(part) for name, part in parts}

    @override
    def baselines(self, raw: RawData, fitted: ClassesFitted) -> list[Baseline]:
        """Gradient boosting, and where it is asked for TabICL."""
        sources = self.held_out(raw, fitted)
        if sources is None:
            return []
        boosting, classes = self.boosting(fitted), len(fitted.classes)
        other = tabicl_of(self.section, self.config.compute)
        more = [] if other is None else [other.classes(*sources, classes, boosting.evaluate)]
        return [boosting.baseline(*sources), *more]

    @override
    def boosting(self, fitted: ClassesFitted) -> ClassBoosting:
        return ClassBoosting(fitted, self._threshold(fitted))

    @override
    def pooled(self, predicted: pa.Table, truth: pa.ChunkedArray) -> Evaluation:
        scores = [name for name in predicted.column_names if name.startswith(_SCORE)]
        names = sorted(name.removeprefix(_SCORE) for name in scores)
        columns = [np.asarray(predicted[_SCORE + name].fill_null(0), np.float32) for name in names]
        probabilities, known = np.stack(columns, 1), pa.array(names, pa.string())
        targets, said = (
            np.asarray(pc.index_in(part, value_set=known), np.int64)
            for part in (truth, predicted["label"])
        )
        loss = log_loss(probabilities, targets)
        decided = said if self.section.rule else None
        found = evaluate_classes(probabilities, targets, names, loss, predicted=decided)
        intervals = intervals_of_classes(probabilities, targets, found.metrics, decided)
        return replace(found, intervals=intervals)


def _scores(network: nn.Module, batch: Batch, fitted: ClassesFitted) -> torch.Tensor:
    """Return the probabilities ``[batch, classes]``."""
    return _scores_of(row_logits(network, batch), fitted)


def _scores_of(logits: torch.Tensor, fitted: ClassesFitted) -> torch.Tensor:
    return (logits / fitted.temperature).float().softmax(1)


def _record(row: Sequence[float], label: int, classes: Sequence[str]) -> dict[str, Any]:
    likeliest = sorted(range(len(row)), key=lambda index: -row[index])[:_SHOWN]
    scores = {classes[index]: row[index] for index in likeliest}
    return {"label": classes[label], "score": row[label], "scores": scores}
