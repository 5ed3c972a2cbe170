"""Classification of table rows: one of several classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import override

from engine.baselines.gradient_boosting import NAME, boosted_classes, log_loss
from engine.batches.source import Batch
from engine.config.tasks.tabular_classification import TabularClassificationConfig
from engine.data.raw import RawData
from engine.data.tables.categories import respelled
from engine.metrics.calibration import TemperatureFit
from engine.metrics.classification import balanced_weights, class_loss, evaluate_classes
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.importance import Score, class_scores
from engine.metrics.row_classes import RowClasses, row_logits
from engine.pipelines.tabular_classification import ClassesFitted, TabularClassificationPipeline
from engine.tasks.tabular import TabularTask, each_output

_SHOWN = 5


class TabularClassification(TabularTask[ClassesFitted]):
    """The network gives a logit for each class."""

    pipeline: TabularClassificationPipeline
    section: TabularClassificationConfig

    probabilities = True
    _balanced: list[float] | None = None

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
        weights = self._class_weights(batch.targets.device)
        logits = network(batch.inputs)
        targets = each_output(batch.targets, logits)
        return class_loss(logits, targets, weights, section.label_smoothing)

    def build_network(self, fitted: ClassesFitted) -> nn.Module:
        """The chosen model for these columns; keeps the weight of each class in the loss."""
        balanced = self.section.class_weights == "balanced"
        self._balanced = balanced_weights(fitted.counts) if balanced else None
        return super().build_network(fitted)

    def _class_weights(self, device: torch.device) -> torch.Tensor | None:
        return None if self._balanced is None else torch.tensor(self._balanced, device=device)

    def target_evaluator(self, fitted: ClassesFitted) -> Evaluator:
        """Metrics of classes, and the worst mistakes."""
        return RowClasses(
            fitted.classes,
            lambda batch, row: self.describe(batch, row, fitted),
            fitted.temperature,
        )

    @override
    def calibration(self, fitted: ClassesFitted) -> Callable[[], Evaluator]:
        """Return what fits the temperature of the finished network."""

        def finish(temperature: float) -> ClassesFitted:
            return fitted.model_copy(update={"temperature": temperature})

        return lambda: TemperatureFit(row_logits, finish)

    def score(self, fitted: ClassesFitted) -> Score:
        """Accuracy and loss."""
        del fitted
        return class_scores

    def predict(
        self, network: nn.Module, batch: Batch, fitted: ClassesFitted
    ) -> list[dict[str, Any]]:
        """The class, how sure the network is, and the likeliest five."""
        return [_record(row, fitted.classes) for row in _scores(network, batch, fitted).tolist()]

    @override
    def explained(self, network: nn.Module, batch: Batch, fitted: ClassesFitted) -> torch.Tensor:
        return _scores(network, batch, fitted)

    @override
    def explained_names(self, fitted: ClassesFitted) -> list[str]:
        return fitted.classes

    @override
    def predicted_columns(
        self, network: nn.Module, batch: Batch, fitted: ClassesFitted
    ) -> dict[str, pa.Array]:
        scores = _scores(network, batch, fitted).cpu().double().numpy()
        best = scores.argmax(1)
        columns = {
            "label": pa.array(fitted.classes, pa.string()).take(pa.array(best)),
            "score": pa.array(scores[np.arange(len(best)), best]),
        }
        parts = zip(fitted.classes, scores.T.copy(), strict=True)
        return columns | {f"score {name}": pa.array(part) for name, part in parts}

    def baseline(self, raw: RawData, fitted: ClassesFitted) -> tuple[str, Evaluation] | None:
        """Gradient boosting."""
        sources = self.held_out(raw, fitted)
        if sources is None:
            return None
        classes = fitted.classes
        probabilities, truth = boosted_classes(*sources, fitted.features, len(classes))
        loss = log_loss(probabilities, truth)
        return NAME, evaluate_classes(probabilities, truth, classes, loss)


def _scores(network: nn.Module, batch: Batch, fitted: ClassesFitted) -> torch.Tensor:
    """Return the probabilities ``[batch, classes]``."""
    return (row_logits(network, batch) / fitted.temperature).float().softmax(1)


def _record(row: Sequence[float], classes: Sequence[str]) -> dict[str, Any]:
    likeliest = sorted(range(len(row)), key=lambda index: -row[index])[:_SHOWN]
    scores = {classes[index]: row[index] for index in likeliest}
    return {"label": classes[likeliest[0]], "score": row[likeliest[0]], "scores": scores}
